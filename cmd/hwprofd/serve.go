package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/server"
)

func newServeCommand() *cobra.Command {
	var (
		listen, dir, certFile, keyFile, tokenFile string
		maxUploadMB                               int64
		watch                                     time.Duration
		hours                                     string
		maxLoad                                   float64
	)
	cmd := &cobra.Command{
		Use:   "serve [--listen 127.0.0.1:7380] [--dir DIR]",
		Short: "Serve this machine: an HTTP API and a web page to measure and predict",
		Long: `Serves an HTTP API and a web page: models and latency tables are uploaded and
downloaded, jobs measure this machine one after the other, and networks are
predicted by the tables. Jobs survive a restart and a power cut.

It serves this machine only, unless it is given a certificate and a token; every
request then has to bring the token: 'Authorization: Bearer TOKEN'. The API is
described by /openapi.json, /metrics is for Prometheus, /healthz for monitors.

It ends on SIGTERM and SIGINT; the job that runs goes on with the next start.
Logs are JSON lines on standard error.`,
		Example: `  hwprofd serve
  hwprofd serve --watch 6h --hours 22:00-06:00 --max-load 0.5
  hwprofd serve --listen 0.0.0.0:7380 --tls-cert cert.pem --tls-key key.pem --token-file token`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (certFile == "") != (keyFile == "") {
				return usagef("--tls-cert and --tls-key go together: name both files")
			}
			if maxUploadMB < 1 || maxUploadMB > 1<<20 {
				return usagef("--max-upload-mb %d is outside 1..%d", maxUploadMB, 1<<20)
			}
			if watch < 0 || watch > 0 && watch < time.Minute {
				return usagef("--watch %v is too often: 1m is the least, 0 is never", watch)
			}
			if !(maxLoad >= 0 && maxLoad <= 1) {
				return usagef("--max-load %v is outside 0..1", maxLoad)
			}
			if certFile != "" {
				if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
					return fmt.Errorf("--tls-cert %s, --tls-key %s: %w", certFile, keyFile, err)
				}
			}
			var within server.Hours
			if hours != "" {
				var err error
				if within, err = server.ParseHours(hours); err != nil {
					return usageError{fmt.Errorf("--hours: %w", err)}
				}
			}
			token := ""
			if tokenFile != "" {
				content, err := os.ReadFile(tokenFile)
				if err != nil {
					return err
				}
				if token = strings.TrimSpace(string(content)); token == "" {
					return usagef("--token-file %s is empty: it has to hold the token", tokenFile)
				}
			}
			if err := server.CheckListen(listen, certFile != "", token); err != nil {
				return usageError{fmt.Errorf("--listen: %w", err)}
			}
			if dir == "" {
				state, err := stateDir()
				if err != nil {
					return err
				}
				dir = state
			}
			executable, err := os.Executable()
			if err != nil {
				return err
			}
			log := newServeLog(cmd)
			s, err := server.New(server.Options{
				Dir: dir, Executable: executable, Version: version(), Spaces: space.Names(),
				Token: token, MaxUpload: maxUploadMB << 20, Log: log,
				WatchEvery: watch, Hours: within, MaxLoad: maxLoad,
			})
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return errors.Join(err, s.Close())
			}
			log.Info("serving", zap.Stringer("address", listener.Addr()), zap.Bool("tls", certFile != ""), zap.String("dir", dir), zap.String("version", version()))
			stop := notifySystemd(cmd.Context(), s, log)
			defer stop()
			return s.Serve(cmd.Context(), listener, certFile, keyFile)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:7380", "address to listen on")
	flags.StringVar(&dir, "dir", "", "what the daemon keeps (default: systemd's STATE_DIRECTORY, else hwprofd in the user's state folder)")
	flags.StringVar(&certFile, "tls-cert", "", "certificate for TLS, as PEM")
	flags.StringVar(&keyFile, "tls-key", "", "its private key, as PEM")
	flags.StringVar(&tokenFile, "token-file", "", "file with the token that every request has to bring")
	flags.Int64Var(&maxUploadMB, "max-upload-mb", 512, "largest model or table that is taken, in MiB")
	flags.DurationVar(&watch, "watch", 0, "how often to check whether the machine's speed changed, such as 6h; 0: never")
	flags.StringVar(&hours, "hours", "", "hours of the day in which measurements may begin, such as 22:00-06:00")
	flags.Float64Var(&maxLoad, "max-load", 1, "busy share of the processors above which a measurement waits, such as 0.5; 1: never")
	return cmd
}

// stateDir is where systemd says, else where the XDG base directory
// specification has state.
func stateDir() (string, error) {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hwprofd"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w; name a folder by --dir", err)
	}
	return filepath.Join(home, ".local", "state", "hwprofd"), nil
}

func newServeLog(cmd *cobra.Command) *zap.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(cmd.ErrOrStderr()), zap.InfoLevel))
}
