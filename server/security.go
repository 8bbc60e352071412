package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// minToken is the fewest characters of a token: 16 random bytes in base64.
const minToken = 22

// CheckListen refuses an address beyond loopback without TLS and a token: who
// can reach the daemon can make the machine work, and read its models.
func CheckListen(address string, tls bool, token string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q is no address to listen on: it has to be HOST:PORT, such as 127.0.0.1:7380", address)
	}
	if token != "" && len(token) < minToken {
		return fmt.Errorf("the token has %d characters, fewer than %d: make one with 'openssl rand -base64 24'", len(token), minToken)
	}
	if loopbackHost(host) {
		return nil
	}
	var missing []string
	if !tls {
		missing = append(missing, "TLS")
	}
	if token == "" {
		missing = append(missing, "a token")
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s is beyond loopback and needs %s; listen on 127.0.0.1 or [::1] to serve this machine only", address, strings.Join(missing, " and "))
	}
	return nil
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// everywhere are headers of all answers.
var everywhere = http.Header{
	"X-Content-Type-Options":  {"nosniff"},
	"Referrer-Policy":         {"same-origin"},
	"Content-Security-Policy": {"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
}

// guard lets through what may be asked by who asks.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	want := sha256.Sum256([]byte(s.options.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		maps.Copy(header, everywhere)
		if err := crossOrigin.Check(r); err != nil {
			s.writeProblem(w, r, problemf(http.StatusForbidden, "another site's page may not change things here"))
			return
		}
		if s.options.Token == "" {
			// Without a token only programs of this machine are served: a
			// name that others point to it must not make a browser one of them.
			if !loopbackHost(hostOnly(r.Host)) {
				s.writeProblem(w, r, problemf(http.StatusMisdirectedRequest, "this daemon serves 127.0.0.1, [::1] and localhost, not %q", r.Host))
				return
			}
		} else if !openPath(r.URL.Path) {
			got := sha256.Sum256([]byte(tokenOf(r)))
			if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				if wantsPage(r) {
					http.Redirect(w, r, "/login", http.StatusSeeOther)
					return
				}
				header.Set("WWW-Authenticate", `Bearer realm="hwprofd"`)
				s.writeProblem(w, r, problemf(http.StatusUnauthorized, "a bearer token is needed: send the header 'Authorization: Bearer TOKEN'"))
				return
			}
		}
		if strings.HasPrefix(r.URL.Path, "/debug/") && !fromLoopback(r) {
			s.writeProblem(w, r, problemf(http.StatusForbidden, "%s is only for this machine itself", r.URL.Path))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// openPath tells what is served without a token: that the daemon is alive, and
// what it takes to log in.
func openPath(path string) bool {
	return path == "/healthz" || path == "/login" || strings.HasPrefix(path, "/static/")
}

// wantsPage tells whether a browser asks for a page.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html")
}

const tokenCookie = "hwprofd_token"

func tokenOf(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if cookie, err := r.Cookie(tokenCookie); err == nil {
		return cookie.Value
	}
	return ""
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func fromLoopback(r *http.Request) bool {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && address.Addr().Unmap().IsLoopback()
}
