package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

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
  hwprofd serve --listen 0.0.0.0:7380 --tls-cert cert.pem --tls-key key.pem --token-file token`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (certFile == "") != (keyFile == "") {
				return usagef("--tls-cert and --tls-key go together: name both files")
			}
			if maxUploadMB < 1 || maxUploadMB > 1<<20 {
				return usagef("--max-upload-mb %d is outside 1..%d", maxUploadMB, 1<<20)
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
