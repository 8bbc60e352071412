package server

import (
	"bytes"

	"github.com/hwprofd/hwprofd/server/api"
)

// question is an api.PredictRequest, whose names may lie in the request's body.
type question struct {
	lut, model string
	workloads  [][]byte
	coverage   float64 // 0 for the usual one
	suggest    int
}

func questionOf(r api.PredictRequest) question {
	return question{r.LUT, r.Model, byteSlices(r.Workloads), r.Coverage, r.Suggest}
}

func byteSlices(list []string) [][]byte {
	slices := make([][]byte, len(list))
	for i, s := range list {
		slices[i] = []byte(s)
	}
	return slices
}

// scanQuestion reads a question as programs write it: an object of strings and
// a list of strings, all without escapes, and no more. It takes a tenth of the time that
// package json needs, which would be most of a prediction's. What is written in
// another way, or wrong, is left to that package (ok is false). The names of
// workloads are appended to room.
func scanQuestion(body []byte, room [][]byte) (q question, ok bool) {
	s := scanner{body}
	if !s.next('{') {
		return q, false
	}
	for {
		name, ok := s.text()
		if !ok || !s.next(':') {
			return q, false
		}
		var value []byte
		switch {
		case string(name) == "lut" && q.lut == "":
			value, ok = s.text()
			q.lut = string(value)
		case string(name) == "model" && q.model == "":
			value, ok = s.text()
			q.model = string(value)
		case string(name) == "workloads" && q.workloads == nil:
			q.workloads, ok = s.texts(room)
		default: // unknown, or there twice
			return q, false
		}
		switch {
		case !ok:
			return q, false
		case s.next(','):
		case s.next('}'):
			return q, len(bytes.TrimLeft(s.rest, blanks)) == 0
		default:
			return q, false
		}
	}
}

const blanks = " \t\r\n" // of JSON

// scanner takes tokens of JSON from the rest of a body.
type scanner struct{ rest []byte }

// next takes a sign, if it comes next.
func (s *scanner) next(sign byte) bool {
	if len(s.rest) > 0 && s.rest[0] != sign {
		s.rest = bytes.TrimLeft(s.rest, blanks)
	}
	if len(s.rest) == 0 || s.rest[0] != sign {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text takes a string of printable ASCII without escapes.
func (s *scanner) text() ([]byte, bool) {
	if !s.next('"') {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// texts takes a list of strings.
func (s *scanner) texts(list [][]byte) ([][]byte, bool) {
	if !s.next('[') {
		return nil, false
	}
	for {
		text, ok := s.text()
		if !ok {
			return nil, false
		}
		list = append(list, text)
		if s.next(']') {
			return list, true
		}
		if !s.next(',') {
			return nil, false
		}
	}
}
