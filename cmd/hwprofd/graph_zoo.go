package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/graph/zoo"
)

func newGraphZooCommand() *cobra.Command {
	var (
		out     string
		options zoo.Options
		variant string
	)
	cmd := &cobra.Command{
		Use:   "zoo [NAME -o FILE.onnx]",
		Short: "List well-known networks, or write one with random weights",
		Long: `Writes a well-known network with seeded random weights, in the form in which
PyTorch's exporter would, for tests and benchmarks that need no download. Without
a name it lists those that there are.`,
		Example: "  hwprofd graph zoo\n  hwprofd graph zoo resnet50 -o resnet50.onnx\n  hwprofd graph zoo mobilenetv2 --size 160 --width 0.5 --variant int8 -o small.onnx",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, name := range zoo.Names() {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), name); err != nil {
						return err
					}
				}
				return nil
			}
			if err := exactArgs(1, "one name")(cmd, args); err != nil {
				return err
			}
			if out == "" {
				return usagef("-o is missing: name the file to write")
			}
			g, err := zoo.Build(args[0], options)
			if err != nil {
				return usageError{err}
			}
			switch variant {
			case "float":
			case "half":
				g, err = zoo.Half(g)
			case "int8":
				g, err = zoo.Quantize(g, options.Seed)
			default:
				return usagef("--variant %s: there are float, half and int8", variant)
			}
			if err != nil {
				return err
			}
			return onnx.Write(out, g)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&out, "output", "o", "", "file to write")
	flags.StringVar(&variant, "variant", "float", "float, half (float16), or int8 (QuantizeLinear and DequantizeLinear)")
	flags.IntVar(&options.Batch, "batch", 0, "images or sequences at a time (default 1)")
	flags.IntVar(&options.Size, "size", 0, "height and width of images, or length of sequences (default as published)")
	flags.Float64Var(&options.Width, "width", 0, "factor for the numbers of channels (default 1)")
	flags.IntVar(&options.Depth, "depth", 0, "most blocks of a stage, or layers (default as published)")
	flags.IntVar(&options.Classes, "classes", 0, "classes (default 1000)")
	flags.Uint64Var(&options.Seed, "seed", 0, "seed of the weights")
	return cmd
}
