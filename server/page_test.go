package server

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/hwprofd/hwprofd/server/api"
)

var screenshots = flag.String("screenshots", "", "folder to write pictures of the pages to")

// browser is a headless Chromium, with what its pages complained about.
type browser struct {
	t   *testing.T
	ctx context.Context

	looks      int
	mu         sync.Mutex
	complaints []string
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, shut := chromedp.NewContext(ctx)
	t.Cleanup(shut)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	messages := chromedp.Console(ctx) // also exceptions and violations of the content security policy
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" || m.Type == "warning" {
				b.mu.Lock()
				b.complaints = append(b.complaints, m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute) // for machines that do much else
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v at %s", err, ask(b, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText")))
	}
}

// ask runs an action that has an answer.
func ask[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	answer, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

type windowSize struct {
	name   string
	width  int64
	scheme string
}

// look opens a page, checks it, and takes its pictures, if they are asked for:
// wide and narrow, light and dark.
func (b *browser) look(name, address string) {
	b.t.Helper()
	sizes := []windowSize{{"desktop", 1200, "light"}, {"phone-dark", 400, "dark"}}
	if *screenshots == "" {
		// Each in turn, which takes half the time and sees each kind of page.
		b.looks++
		sizes = sizes[b.looks%2 : b.looks%2+1]
	}
	for _, size := range sizes {
		b.do(prefer(size.scheme), chromedp.EmulateViewport(size.width, 800), chromedp.Navigate(address))
		for _, problem := range ask(b, chromedp.Evaluate[[]string](accessibility)) {
			b.t.Errorf("%s, %s: %s", name, size.name, problem)
		}
		if *screenshots != "" {
			picture := ask(b, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(*screenshots, name+"-"+size.name+".png"), picture, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.quiet(name)
}

// quiet fails the test with what the pages complained about.
func (b *browser) quiet(name string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, complaint := range b.complaints {
		b.t.Errorf("%s: %s", name, complaint)
	}
	b.complaints = nil
}

// accessibility looks for what keeps people from using a page: a missing
// language, title, heading or landmark, controls and pictures without names,
// tables without headers, doubled ids, text with less contrast than WCAG 2.1
// AA asks for (4.5, large 3), and a page that is wider than its window.
const accessibility = `(() => {
  const problems = [];
  const say = (what, e) => problems.push(what + (e ? ": " + e.outerHTML.slice(0, 150) : ""));
  if (!document.documentElement.lang) say("no language");
  if (!document.title) say("no title");
  if (document.querySelectorAll("h1").length !== 1) say("not one h1");
  if (document.querySelectorAll("main").length !== 1) say("not one main");
  if (!document.querySelector("header nav[aria-label]")) say("no navigation");
  if (!document.querySelector("meta[name=viewport]")) say("no viewport");
  let level = 1;
  for (const h of document.querySelectorAll("h1,h2,h3")) {
    if (+h.tagName[1] > level + 1) say("heading skips a level", h);
    level = +h.tagName[1];
  }
  const named = (e) => e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby"))) || (e.labels && e.labels.length) || e.textContent.trim();
  for (const e of document.querySelectorAll("input:not([type=hidden]),select,textarea")) if (!(e.labels && e.labels.length) && !e.getAttribute("aria-label")) say("no label", e);
  for (const e of document.querySelectorAll("button,a[href],progress,section,[role=region]")) if (!named(e)) say("no name", e);
  for (const e of document.querySelectorAll("svg,img")) if (!e.getAttribute("aria-label") && !e.getAttribute("alt") && e.getAttribute("aria-hidden") !== "true") say("no text for a picture", e);
  for (const e of document.querySelectorAll("th:not([scope])")) say("header without scope", e);
  for (const e of document.querySelectorAll("table")) if (!e.querySelector("th")) say("table without headers", e);
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) say("own tab order", e);
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) say("id twice", e); ids.add(e.id); }
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const luminance = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
  const poor = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = texts.nextNode(), seen = 0; n && seen < 3000; n = texts.nextNode(), seen++) {
    const e = n.parentElement, style = getComputedStyle(e);
    if (!n.data.trim() || !e.getClientRects().length || e.closest("noscript,title,option,.hidden,.skip")) continue;
    const color = e.ownerSVGElement ? style.fill : style.color;
    const [a, b] = [luminance(rgba(color)), luminance(behind(e))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && +style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05), key = e.tagName + e.className + color;
    if (ratio < (large ? 3 : 4.5) && !poor.has(key)) { poor.add(key); say("contrast " + ratio.toFixed(2), e); }
  }
  for (const e of document.querySelectorAll(".drop > *")) if (e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right - 10) say("reaches over the edge", e);
  for (const e of document.querySelectorAll("td .tag")) if (e.getBoundingClientRect().right > e.closest("td").getBoundingClientRect().right) say("reaches into the next cell", e);
  if (innerWidth >= 1200) for (const e of document.querySelectorAll(".scroll")) if (e.scrollWidth > e.clientWidth) say("cut by " + (e.scrollWidth - e.clientWidth), e);
  if (document.documentElement.scrollWidth > innerWidth + 1) {
    const wide = [...document.querySelectorAll("main *")].find((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.parentElement.closest(".scroll"));
    say("wider than the window by " + (document.documentElement.scrollWidth - innerWidth), wide);
  }
  return problems;
})()`

func TestPagesInBrowser(t *testing.T) {
	b := startBrowser(t)
	d := startDaemon(t, t.TempDir())
	for name, path := range map[string]string{"empty-home": "/", "empty-jobs": "/jobs", "empty-models": "/models", "empty-compare": "/compare", "empty-drift": "/drift", "login": "/login"} {
		b.look(name, d.url+path)
	}

	// A workload that is newer than the first check is drawn from then on.
	weeks := driftOfWeeks()
	weeks.Checks[0].Medians = weeks.Checks[0].Medians[1:]
	if svg := string(drawSeries(weeks, weeks.Charts[0]).SVG); strings.Contains(svg, "NaN") || strings.Count(svg, "L") < 100 {
		t.Errorf("a chart whose first check lacks the workload: %.600s", svg)
	}

	// What a visitor does: profile, upload a model, measure it.
	css := func(selector string) chromedp.CSS { return chromedp.CSS(selector) }
	b.do(chromedp.Navigate(d.url+"/"), chromedp.SendKeys(css("#lut"), "mine"), chromedp.Submit(css("#lut")), chromedp.WaitVisible(css(".state.done")))
	at := ask(b, chromedp.Location())
	if at != d.url+"/jobs/1" {
		t.Errorf("the form of a profile leads to %s", at)
	}
	b.look("done-profile", at)
	file := filepath.Join(t.TempDir(), "Mobile Net (v3).onnx")
	if err := os.WriteFile(file, []byte("a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(d.url+"/models"), chromedp.SetUploadFiles(css("#file"), []string{file}), chromedp.WaitVisible(css("#cost")))
	at = ask(b, chromedp.Location())
	if !strings.HasPrefix(at, d.url+"/models/") {
		t.Fatalf("the upload leads to %s", at)
	}
	b.look("model-predicted", at)
	b.do(chromedp.Submit(css("#seconds")), chromedp.WaitVisible(css(".figures div:nth-child(3)")))
	shown := ask(b, chromedp.Text(css("main")))
	contains(t, shown, "Mobile-Net-v3-.onnx")
	contains(t, shown, "12.3 µs\nmeasured")
	b.look("model-measured", ask(b, chromedp.Location()))

	d.addTable("large", 10000)
	begin := time.Now()
	b.look("lut-10000-rows", d.url+"/luts/large")
	t.Logf("the page of 10,000 rows twice: %v", time.Since(begin))
	b.look("lut-filtered", d.url+"/luts/large?contains=c64&op=conv2d&sort=-latency_median_ns&offset=50")
	b.look("lut-none", d.url+"/luts/large?contains=nothing")
	b.look("compare", d.url+"/compare?old=mine&new=large")
	b.do(chromedp.Navigate(d.url+"/luts/large"), chromedp.Click(css("a[rel=next]")), chromedp.WaitVisible(css("a[rel=prev]")))
	contains(t, ask(b, chromedp.Text(css("main"))), "Rows 51 to 100 of 10000")

	if err := d.server.keepDrift(driftOfWeeks()); err != nil {
		t.Fatal(err)
	}
	b.look("drift-alarms", d.url+"/drift")
	contains(t, ask(b, chromedp.Text(css("main"))), "6.1.0-28 → 6.1.0-31")

	slow := d.upload("slow.onnx", "slow")
	job := d.submit(`{"kind":"measure","models":["` + slow.Digest + `"]}`)
	waiting := d.submit(`{"kind":"measure","models":["` + slow.Digest + `"]}`)
	d.await(job.ID, hasProgress)
	jobPage := fmt.Sprintf("%s/jobs/%d", d.url, job.ID)
	b.look("running-job", jobPage)
	b.look("running-home", d.url+"/")
	// The page shows the end by itself.
	b.do(chromedp.Navigate(jobPage), chromedp.WaitVisible(css("progress")))
	d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", waiting.ID), "", nil, http.StatusAccepted, nil)
	d.ask("POST", fmt.Sprintf("/api/v1/jobs/%d/cancel", job.ID), "", nil, http.StatusAccepted, nil)
	b.do(chromedp.WaitVisible(css(".state.cancelled")))
	b.quiet("the end of a job")

	model := d.upload("net.onnx", "soon broken")
	if err := os.WriteFile(d.server.models.path(model.Digest), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := d.await(d.submit(`{"kind":"measure","models":["`+model.Digest+`"]}`).ID, in(api.Failed))
	b.look("failed-job", fmt.Sprintf("%s/jobs/%d", d.url, failed.ID))
	if err := os.WriteFile(d.server.models.path(model.Digest), []byte("mended"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Submit(css("form[action$='/retry']")), chromedp.WaitVisible(css(".state.done")))
	b.do(chromedp.Navigate(d.url + "/luts/none"))
	contains(t, ask(b, chromedp.Text(css("main"))), "there is no table")
}

// driftOfWeeks is a watch over weeks in which a new kernel made the machine slower.
func driftOfWeeks() *api.Drift {
	begin := time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC)
	d := &api.Drift{Begun: begin.Add(60 * 6 * time.Hour)}
	for i := range 120 {
		check := api.Check{At: begin.Add(time.Duration(i) * 6 * time.Hour), Facts: map[string]string{"kernel": "6.1.0-28"}}
		for k, name := range panel {
			ns := 1e4 * float64(k+1) * (1 + 0.004*math.Sin(float64(i*(k+3))))
			if i >= 58 {
				ns *= 1.03
			}
			check.Medians = append(check.Medians, api.PanelMedian{Workload: name, NS: ns})
		}
		d.Checks = append(d.Checks, check)
	}
	alarm := api.DriftAlarm{At: d.Begun, Since: d.Checks[58].At, Facts: []api.ChangedFact{{Name: "kernel", Was: "6.1.0-28", Is: "6.1.0-31"}, {Name: "microcode", Was: "", Is: "0x5003707"}}}
	for i, name := range append(slices.Clone(panel), "all") {
		d.Charts = append(d.Charts, api.DriftChart{Workload: name, Statistic: float64(i) - 2, Limit: 6})
		alarm.Changes = append(alarm.Changes, api.DriftChange{Workload: name, Ratio: 1.03})
	}
	d.Alarms = []api.DriftAlarm{alarm, {At: d.Begun.Add(240 * time.Hour), Since: d.Begun.Add(200 * time.Hour), Changes: alarm.Changes[:1]}}
	return d
}

func TestPagesReadWithoutScripts(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	d.addTable("a", 60)
	model := d.upload("net.onnx", "model")
	for _, path := range []string{"/", "/jobs", "/models", "/models/" + model.Digest, "/luts/a", "/luts/a?sort=-macs", "/compare?old=a&new=a", "/login"} {
		response := d.get(path, nil)
		if policy := response.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || policy == "" {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	for _, spec := range []string{
		`{"kind":"measure","models":["` + model.Digest + `"]}`, `{"kind":"predict","lut":"a","models":["` + model.Digest + `"]}`,
		`{"kind":"evaluate","lut":"a","models":["` + model.Digest + `"]}`, `{"kind":"profile","lut":"b","space":"mobile28"}`,
	} {
		id := d.await(d.submit(spec).ID, in(api.Done)).ID
		d.get(fmt.Sprintf("/jobs/%d", id), nil)
	}
	beyond, err := http.Get(d.url + "/luts/a?offset=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer beyond.Body.Close()
	shown, err := io.ReadAll(beyond.Body)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(shown), "Rows 51 to 60 of 60")
	for path, status := range map[string]int{"/luts/none": 404, "/luts/a?sort=x": 400, "/jobs/99": 404, "/jobs/x": 400, "/models/" + strings.Repeat("0", 64): 404} {
		response, err := http.Get(d.url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != status || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: status %d of type %s, want %d", path, response.StatusCode, response.Header.Get("Content-Type"), status)
		}
	}
	for name, form := range map[string]url.Values{
		"a job":            {"kind": {"measure"}, "model": {model.Digest}, "seconds": {"1"}},
		"a job by a table": {"kind": {"evaluate"}, "model": {model.Digest}, "lut": {"a"}, "seconds": {"1"}},
	} {
		response, err := http.PostForm(d.url+"/jobs", form)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Request.URL.Path != "/models/"+model.Digest {
			t.Errorf("%s leads to %s with %d", name, response.Request.URL, response.StatusCode)
		}
	}
	response, err := http.PostForm(d.url+"/jobs", url.Values{"kind": {"measure"}, "model": {model.Digest}, "seconds": {"-1"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("a time below zero: status %d", response.StatusCode)
	}
}

// TestPredictedEnergyIsShown has a table with energies and one without.
func TestPredictedEnergyIsShown(t *testing.T) {
	mj := 12.5
	with, without := &api.Prediction{LatencyNS: 1e6, EnergyMJ: &mj, EnergySource: "modelled"}, &api.Prediction{LatencyNS: 1e6}
	for prediction, want := range map[*api.Prediction]bool{with: true, without: false} {
		var out strings.Builder
		if err := templates.ExecuteTemplate(&out, "comparison", showPrediction(prediction, nil)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "<b>12.5 mJ</b><span>predicted energy (modelled)</span>"); got != want {
			t.Errorf("shown: %t, want %t: %s", got, want, out.String())
		}
	}
}

func TestLogin(t *testing.T) {
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.Token = testToken })
	jar := &oneCookie{}
	client := &http.Client{Jar: jar}
	ask := func(request *http.Request, err error) *http.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/html")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response
	}
	if got := ask(http.NewRequest("GET", d.url+"/models", nil)); got.Request.URL.Path != "/login" {
		t.Errorf("without a token a browser gets %s", got.Request.URL)
	}
	login := func(token string) *http.Response {
		request, err := http.NewRequest("POST", d.url+"/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return ask(request, err)
	}
	if got := login("wrong"); got.StatusCode != http.StatusUnauthorized || jar.cookie != nil {
		t.Errorf("the wrong token: %d and cookie %v", got.StatusCode, jar.cookie)
	}
	if got := login(testToken); got.StatusCode != http.StatusOK || got.Request.URL.Path != "/" || !jar.cookie.HttpOnly || jar.cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the token: %d at %s", got.StatusCode, got.Request.URL)
	}
}

type oneCookie struct{ cookie *http.Cookie }

func (j *oneCookie) SetCookies(_ *url.URL, cookies []*http.Cookie) { j.cookie = cookies[0] }

func (j *oneCookie) Cookies(*url.URL) []*http.Cookie {
	if j.cookie == nil {
		return nil
	}
	return []*http.Cookie{{Name: j.cookie.Name, Value: j.cookie.Value}}
}
