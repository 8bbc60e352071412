package server

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/device"
	"github.com/hwprofd/hwprofd/server/api"
)

//go:embed web
var webFiles embed.FS

// staticVersion changes with the files below /static/, which browsers keep for
// good under an address with their version.
var staticVersion = func() string {
	hash := sha256.New()
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		content, err := webFiles.ReadFile("web/" + name)
		if err != nil {
			panic(err) // embedded
		}
		hash.Write(content)
	}
	return hex.EncodeToString(hash.Sum(nil)[:6])
}()

// page is what every page has; those with more embed it.
type page struct {
	Title   string
	Section string // of the navigation
	Version string
	Live    bool // something goes on, so that the page is to be read again
}

func (s *Server) page(title, section string) page {
	return page{Title: title, Section: section, Version: s.options.Version}
}

// pageRoutes are for browsers. Forms are posted to them and lead to a page.
func (s *Server) pageRoutes() []route {
	return []route{
		{"GET", "/{$}", s.homePage},
		{"GET", "/jobs", s.jobsPage},
		{"POST", "/jobs", s.postJobForm},
		{"GET", "/jobs/{id}", s.jobPage},
		{"POST", "/jobs/{id}/cancel", s.jobForm(s.cancel)},
		{"POST", "/jobs/{id}/retry", s.jobForm(s.retry)},
		{"GET", "/models", s.modelsPage},
		{"POST", "/models", s.postModelForm},
		{"GET", "/models/{digest}", s.modelPage},
		{"GET", "/luts/{name}", s.lutPage},
		{"GET", "/compare", s.comparePage},
		{"GET", "/drift", s.driftPage},
		{"GET", "/login", s.loginPage},
		{"POST", "/login", s.postLogin},
		{"GET", "/static/{file}", getStatic},
	}
}

// answerPage is answer with errors as pages.
func (s *Server) answerPage(handle func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := handle(w, r)
		if err == nil {
			return
		}
		status, detail := s.explain(r, err)
		data := struct {
			page
			Status, Detail string
		}{s.page(http.StatusText(status), ""), http.StatusText(status), detail}
		if err := s.render(w, r, status, "problem", data); err != nil {
			s.writeProblem(w, r, err)
		}
	})
}

// render writes a page. It is made in memory first, so that an error can still
// become the answer.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes())
	}
	return nil
}

func getStatic(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	content, err := webFiles.ReadFile("web/" + name)
	if err != nil || path.Ext(name) == ".html" {
		return problemf(http.StatusNotFound, "there is no file %q", name)
	}
	if r.URL.Query().Get("v") == staticVersion {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(content)
	return nil
}

// fact is a line of a list of facts.
type fact struct{ Name, Value string }

type devicePage struct {
	Processor, Summary, Fingerprint string
	Facts                           []fact
}

func describeDevice() (devicePage, error) {
	info, err := device.Detect()
	if err != nil {
		return devicePage{}, err
	}
	p := devicePage{Processor: "This machine", Fingerprint: info.Fingerprint()}
	add := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, fact{name, value})
		}
	}
	for _, cpu := range info.CPUs {
		add("processor", fmt.Sprintf("%s, %d threads", cmp.Or(cpu.Model, cpu.Vendor, "unknown"), cpu.Threads))
	}
	if len(info.CPUs) > 0 {
		p.Processor = cmp.Or(info.CPUs[0].Model, p.Processor)
	}
	p.Summary = fmt.Sprintf("%d cores, %d threads, %s of memory, %s/%s, fingerprint %s", info.Cores, info.Threads, byteSize(int64(info.MemoryBytes)), info.OS, info.Arch, p.Fingerprint)
	add("board", info.Board)
	add("instruction sets", strings.Join(info.ISA, " "))
	for _, c := range info.Caches {
		add(fmt.Sprintf("L%d %s cache", c.Level, c.Type), fmt.Sprintf("%d × %s", max(c.Count, 1), byteSize(c.Bytes)))
	}
	add("kernel", info.Kernel)
	add("clock source", info.ClockSource)
	add("governor", info.Governor)
	add("isolated cores", info.IsolatedCores)
	if info.Virtual {
		add("virtual", "yes "+info.Hypervisor)
	}
	for _, m := range info.EnergyMeters {
		state := "readable"
		if !m.Readable {
			state = "needs more rights"
		}
		add("meter "+m.Name, m.Source+", "+m.Quantity+", "+state)
	}
	return p, nil
}

func (s *Server) homePage(w http.ResponseWriter, r *http.Request) error {
	described, err := describeDevice()
	if err != nil {
		return err
	}
	tables, err := s.luts.list(s.badTable)
	if err != nil {
		return err
	}
	jobs := s.queue.list("")
	jobs = jobs[:min(len(jobs), 5)]
	data := struct {
		page
		Device devicePage
		LUTs   []api.LUT
		Jobs   []api.Job
		Spaces []string
	}{s.page("This machine", "home"), described, tables, jobs, s.options.Spaces}
	data.Live = anyGoesOn(jobs)
	return s.render(w, r, http.StatusOK, "home", data)
}

func anyGoesOn(jobs []api.Job) bool {
	return slices.ContainsFunc(jobs, func(job api.Job) bool { return !job.Ended() })
}

const maxListed = 200 // jobs or differences of a page

func (s *Server) jobsPage(w http.ResponseWriter, r *http.Request) error {
	jobs := s.queue.list("")
	jobs = jobs[:min(len(jobs), maxListed)]
	data := struct {
		page
		Jobs []api.Job
	}{s.page("Jobs", "jobs"), jobs}
	data.Live = anyGoesOn(jobs)
	return s.render(w, r, http.StatusOK, "jobs-page", data)
}

func (s *Server) jobPage(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	job, err := s.queue.get(id, true)
	if err != nil {
		return err
	}
	data := struct {
		page
		Job         api.Job
		LUT         *api.LUT
		Comparisons []comparisonPage
	}{page: s.page("Job "+strconv.FormatUint(id, 10), "jobs"), Job: job}
	data.Live = !job.Ended()
	if job.State == api.Done {
		if data.Comparisons, data.LUT, err = showResult(&job); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "job", data)
}

// showResult puts the result of a job of any kind into what a page shows.
func showResult(job *api.Job) (shown []comparisonPage, table *api.LUT, err error) {
	switch job.Spec.Kind {
	case api.Profile:
		err = json.Unmarshal(job.Result, &table)
	case api.Evaluate:
		var e api.Evaluation
		err = json.Unmarshal(job.Result, &e)
		for i := range e.Models {
			shown = append(shown, showComparison(&e.Models[i]))
			if e.Clock != nil && e.Clock.Rescaled {
				shown[i].Clock = e.Clock
			}
		}
	case api.Measure:
		var all []measurement
		err = json.Unmarshal(job.Result, &all)
		for _, m := range all {
			c := compare(m.Network, &api.Prediction{}, m)
			shown = append(shown, showComparison(&c))
		}
	case api.Predict:
		var all []api.Prediction
		err = json.Unmarshal(job.Result, &all)
		for i := range all {
			shown = append(shown, showPrediction(&all[i], nil))
		}
	}
	return shown, table, err
}

// comparisonPage is a network with its layers; what is 0 or empty is not known.
type comparisonPage struct {
	Network                    string
	PredictedNS, LowNS, HighNS float64
	MeasuredNS, CI95NS, Error  float64
	Coverage                   float64 // of the interval, 0 where it is the usual one
	Energy, EnergySource       string  // predicted
	Layers                     []layerPage
	Suggestions                []api.Suggestion
	Clock                      *api.Clock // that predictions are scaled to
}

type layerPage struct {
	Node, Workload, Source        string
	Predicted, Measured           float64
	PredictedShare, MeasuredShare string // of the longest layer, of 100
	Difference                    string
}

func showComparison(c *api.Comparison) comparisonPage {
	p := comparisonPage{
		Network: c.Network, PredictedNS: c.PredictedNS, LowNS: c.LowNS, HighNS: c.HighNS,
		MeasuredNS: c.MeasuredNS, CI95NS: c.CI95NS, Error: c.Error,
	}
	for _, l := range c.Layers {
		layer := layerPage{Node: l.Node, Workload: l.Workload, Source: l.Source, Measured: l.MeasuredNS}
		if l.PredictedNS != nil {
			layer.Predicted = *l.PredictedNS
			layer.Difference = signedPercent(*l.PredictedNS/l.MeasuredNS - 1)
		}
		p.Layers = append(p.Layers, layer)
	}
	p.scale()
	return p
}

// showPrediction shows a prediction; layers name its parts, if they are known and
// no workload was taken apart.
func showPrediction(prediction *api.Prediction, layers []api.Layer) comparisonPage {
	p := comparisonPage{
		Network: prediction.Network, PredictedNS: prediction.LatencyNS, LowNS: prediction.LowNS, HighNS: prediction.HighNS,
		Coverage: prediction.Coverage, Suggestions: prediction.Suggestions, Clock: prediction.Clock,
	}
	if prediction.EnergyMJ != nil {
		p.Energy, p.EnergySource = threeDigits(*prediction.EnergyMJ)+" mJ", prediction.EnergySource
		if low, high := prediction.EnergyLow, prediction.EnergyHigh; low != nil && high != nil { // not in what older daemons kept
			p.EnergySource += fmt.Sprintf(", %s to %s mJ", threeDigits(*low), threeDigits(*high))
		}
	}
	named := slices.DeleteFunc(slices.Clone(layers), func(l api.Layer) bool { return l.Workload == "" })
	for i, part := range prediction.Parts {
		layer := layerPage{Workload: part.Workload, Source: fmt.Sprintf("%s ±%.1f%%", part.Source, 100*part.Uncertainty), Predicted: part.LatencyNS}
		if len(named) == len(prediction.Parts) {
			layer.Node = named[i].Node
		}
		p.Layers = append(p.Layers, layer)
	}
	p.scale()
	return p
}

func (p *comparisonPage) scale() {
	longest := 0.0
	for _, l := range p.Layers {
		longest = max(longest, l.Predicted, l.Measured)
	}
	for i := range p.Layers {
		l := &p.Layers[i]
		l.PredictedShare, l.MeasuredShare = share(l.Predicted, longest), share(l.Measured, longest)
	}
}

func share(part, whole float64) string {
	if whole == 0 {
		return "0"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 1, 64)
}

func (s *Server) modelsPage(w http.ResponseWriter, r *http.Request) error {
	list, err := s.models.list()
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "models", struct {
		page
		Models []api.Model
	}{s.page("Models", "models"), list})
}

// coverages are what the page offers for intervals.
var coverages = []string{"0.5", "0.8", "0.9", "0.95", "0.99"}

const suggestedHere = 5 // measurements that the page names

// modelPage shows what a model costs: predicted by a table, and measured if a
// job has done that.
func (s *Server) modelPage(w http.ResponseWriter, r *http.Request) error {
	model, err := s.models.get(r.PathValue("digest"))
	if err != nil {
		return err
	}
	tables, err := s.luts.list(s.badTable)
	if err != nil {
		return err
	}
	data := struct {
		page
		Model      api.Model
		LUTs       []api.LUT
		LUT        string
		Running    []api.Job
		Comparison *comparisonPage
		Problem    string
		Learning   bool // from the table
		Coverage   string
		Coverages  []string
	}{page: s.page(model.Name, "models"), Model: model, LUTs: tables, LUT: r.URL.Query().Get("lut"), Coverage: r.URL.Query().Get("coverage"), Coverages: coverages}
	if data.LUT == "" && len(tables) > 0 {
		data.LUT = tables[0].Name
	}
	asked := data.Coverage != "" // for a prediction, not for what was measured
	if !asked {
		data.Coverage = "0.9"
	}
	coverage, err := strconv.ParseFloat(data.Coverage, 64)
	if err != nil {
		return problemf(http.StatusBadRequest, "coverage=%q is no number", data.Coverage)
	}
	measured := uint64(0)
	for _, job := range s.queue.list("") { // the latest first
		if !slices.Contains(job.Spec.Models, model.Digest) {
			continue
		}
		fits := job.Spec.Kind == api.Evaluate && job.Spec.LUT == data.LUT || job.Spec.Kind == api.Measure && data.LUT == ""
		switch {
		case !job.Ended():
			data.Running, data.Live = append(data.Running, job), true
		case job.State == api.Done && measured == 0 && fits:
			measured = job.ID
		}
	}
	if measured != 0 && !asked {
		if data.Comparison, err = s.measuredModel(measured, model.Digest); err != nil {
			return err
		}
	} else if data.LUT != "" {
		prediction, err := s.oracle.predict(r.Context(), api.PredictRequest{LUT: data.LUT, Model: model.Digest, Coverage: coverage, Suggest: suggestedHere}, pagePatience)
		var p *problem
		switch {
		case err == nil:
			shown := showPrediction(prediction, model.Layers)
			data.Comparison = &shown
		case errors.As(err, &p) && p.retryAfter > 0:
			data.Learning = true
			w.Header().Set("Refresh", strconv.Itoa(int(p.retryAfter.Seconds())))
		case errors.As(err, &p):
			data.Problem = p.Error()
		default:
			return err
		}
	}
	return s.render(w, r, http.StatusOK, "model", data)
}

// measuredModel is what a job has found of one of its models.
func (s *Server) measuredModel(id uint64, digest string) (*comparisonPage, error) {
	job, err := s.queue.get(id, true)
	if err != nil {
		return nil, err
	}
	shown, _, err := showResult(&job)
	if err != nil {
		return nil, err
	}
	i := slices.Index(job.Spec.Models, digest)
	if i >= len(shown) {
		return nil, fmt.Errorf("job %d has results of %d models, of which number %d is asked for", id, len(shown), i)
	}
	return &shown[i], nil
}

// postModelForm takes the first file of a form. Where a name is no good for a
// table, what is bad in it is left out.
func (s *Server) postModelForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxUpload+1<<20) // the form around the file
	form, err := r.MultipartReader()
	if err != nil {
		return problemf(http.StatusBadRequest, "the form brings no file")
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return problemf(http.StatusBadRequest, "the form brings no file")
		}
		if err != nil {
			return problemf(http.StatusBadRequest, "the form cannot be read: %w", err)
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		model, _, err := s.models.add(r.Context(), cleanName(part.FileName()), part)
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/models/"+model.Digest, http.StatusSeeOther)
		return nil
	}
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func cleanName(name string) string {
	name = notInNames.ReplaceAllString(filepath.Base(name), "-")
	name = strings.TrimLeft(name[max(0, len(name)-100):], "._-")
	if !validName(name) {
		return ""
	}
	return name
}

const maxForm = 64 << 10 // bytes of a form without a file

func (s *Server) postJobForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return problemf(http.StatusBadRequest, "the form cannot be read: %w", err)
	}
	spec := api.JobSpec{
		Kind: r.PostForm.Get("kind"), LUT: r.PostForm.Get("lut"), Space: r.PostForm.Get("space"),
		Models: r.PostForm["model"], Replace: r.PostForm.Get("replace") == "true", Known: r.PostForm["known"],
	}
	if text := r.PostForm.Get("rows"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return problemf(http.StatusBadRequest, "rows: %q is no number of workloads", text)
		}
		spec.Rows = n
	}
	for _, field := range []struct {
		name    string
		seconds float64
	}{{"minutes", 60}, {"seconds", 1}} {
		text := r.PostForm.Get(field.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n > 0) {
			return problemf(http.StatusBadRequest, "%s: %q is no time to measure for", field.name, text)
		}
		spec.BudgetSeconds = n * field.seconds
	}
	job, err := s.submit(spec)
	if err != nil {
		return err
	}
	to := "/jobs/" + strconv.FormatUint(job.ID, 10)
	if len(spec.Models) == 1 && spec.Kind != api.Profile {
		to = "/models/" + spec.Models[0] + "?lut=" + spec.LUT
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// jobForm does something with a job, and leads to its page.
func (s *Server) jobForm(do func(id uint64) (api.Job, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := jobID(r)
		if err != nil {
			return err
		}
		if _, err := do(id); err != nil {
			return err
		}
		http.Redirect(w, r, "/jobs/"+strconv.FormatUint(id, 10), http.StatusSeeOther)
		return nil
	}
}

type loginData struct {
	page
	Problem string
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "login", loginData{page: s.page("Log in", "")})
}

// postLogin gives a browser the token as a cookie, which scripts do not see and
// other sites do not cause to be sent.
func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	got, want := sha256.Sum256([]byte(strings.TrimSpace(r.PostFormValue("token")))), sha256.Sum256([]byte(s.options.Token))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return s.render(w, r, http.StatusUnauthorized, "login", loginData{s.page("Log in", ""), "That is not the token of this daemon."})
	}
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: s.options.Token, Path: "/", MaxAge: int(30 * 24 * time.Hour / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"static":   func(name string) string { return "/static/" + name + "?v=" + staticVersion },
	"what":     whatJob,
	"took":     tookJob,
	"progress": progressText,
	"moment":   momentText,
	"percent":  func(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + "%" },
	"signed":   signedPercent,
	"ns":       nsText,
	"count":    countText,
	"size":     byteSize,
	"times":    func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) + "×" },
	"pvalue":   pText,
}).ParseFS(mustSub(webFiles, "web"), "*.html"))

func mustSub(files fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // embedded
	}
	return sub
}
