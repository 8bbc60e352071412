package target

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An address is the parsed form of a target's name.
type address struct {
	kind       string // "ssh" or "adb"
	user, host string // ssh
	port       string // ssh; "" as the user's configuration says
	serial     string // adb; "" the only device
}

// ssh puts user and host into commands of the user's configuration (%h and %r
// of ProxyCommand and Match exec), so that nothing that a shell may take for
// more than a name is let through.
var (
	userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	ipv6     = regexp.MustCompile(`^[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?$`)
	serial   = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9_.:%\[\]() -]*$`)
)

// Forms says how a target is named, for messages.
const Forms = "ssh://[USER@]HOST[:PORT], adb or adb:SERIAL"

// parse reads a target's name.
func parse(name string) (address, error) {
	fail := func(format string, args ...any) (address, error) {
		return address{}, fmt.Errorf("target: %q: %s", name, fmt.Sprintf(format, args...))
	}
	if name == "adb" {
		return address{kind: "adb"}, nil
	}
	if rest, ok := strings.CutPrefix(name, "adb:"); ok {
		if !serial.MatchString(rest) {
			return fail("%q is no serial number as 'adb devices' lists them", rest)
		}
		return address{kind: "adb", serial: rest}, nil
	}
	rest, ok := strings.CutPrefix(name, "ssh://")
	if !ok {
		return fail("not a target: want %s", Forms)
	}
	a := address{kind: "ssh", host: strings.TrimSuffix(rest, "/")}
	if user, host, ok := cutLast(a.host, "@"); ok {
		if strings.Contains(user, ":") {
			return fail("there is a password in it: hwprofd takes none, ssh signs in with your keys")
		}
		if !userName.MatchString(user) {
			return fail("%q is not the name of a user", user)
		}
		a.user, a.host = user, host
	}
	if inner, ok := strings.CutPrefix(a.host, "["); ok { // IPv6
		host, port, ok := strings.Cut(inner, "]")
		if !ok || !ipv6.MatchString(host) || !strings.Contains(host, ":") {
			return fail("%q is not an IPv6 address in brackets", a.host)
		}
		a.host = host
		if port != "" {
			if a.port, ok = strings.CutPrefix(port, ":"); !ok {
				return fail("%q follows the address", port)
			}
			return a.withPort(fail)
		}
		return a, nil
	}
	if host, port, ok := cutLast(a.host, ":"); ok {
		a.host, a.port = host, port
		if a, err := a.withPort(fail); err != nil {
			return a, err
		}
	}
	if !hostName.MatchString(a.host) {
		return fail("%q is not the name of a host", a.host)
	}
	return a, nil
}

func (a address) withPort(fail func(string, ...any) (address, error)) (address, error) {
	if n, err := strconv.ParseUint(a.port, 10, 16); err != nil || n == 0 {
		return fail("%q is not a port", a.port)
	}
	return a, nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
