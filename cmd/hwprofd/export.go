package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hwprofd/hwprofd/graph/onnx"
	"github.com/hwprofd/hwprofd/nas"
	"github.com/hwprofd/hwprofd/nas/space"
	"github.com/hwprofd/hwprofd/nas/supernet"
)

func newExportCommand() *cobra.Command {
	var (
		spaceName, checkpoint, architecture, data, output string
		source                                            predictorFlags
	)
	cmd := &cobra.Command{
		Use:   "export --supernet SUPERNET.ckpt --arch ARCHITECTURE -o SUBNET.onnx",
		Short: "Write a subnet of a supernet as an ONNX file, and classify held-out images with it",
		Long: `Writes a subnet of a supernet as an ONNX file, and classifies held-out images with
it. The file's metadata say what architecture it is and, with a table of a device
or a predictor, what it is predicted to cost there, with the interval; 'hwprofd
graph show' prints them.`,
		Example: "  hwprofd export --supernet supernet.ckpt --arch 2.2.0.2.2.0.0.2.0.2.2.0.0.2.0.2.2.0.0.2.0.1.2.0.0.2.2.1.2.1.0 -o subnet.onnx --lut pi4.lut.parquet",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"--supernet": checkpoint, "--arch": architecture, "-o": output} {
				if value == "" {
					return usagef("%s is missing; see 'hwprofd export --help'", flag)
				}
			}
			costs, err := source.openIfNamed(cmd)
			if err != nil {
				return err
			}
			images, err := loadImages(data)
			if err != nil {
				return err
			}
			s, err := space.ByName(spaceName, images.train.C, len(images.train.Classes))
			if err != nil {
				return usageError{err}
			}
			a, err := nas.ParseArchitecture(architecture)
			if err != nil {
				return usageError{err}
			}
			if err := nas.Validate(s, a); err != nil {
				return usageError{err}
			}
			net, err := supernet.Load(checkpoint, s)
			if err != nil {
				return err
			}
			calibration, _, err := images.train.Split(min(calibrateImages, images.train.N), splitSeed)
			if err != nil {
				return err
			}
			evaluator, err := net.NewEvaluator(calibration, images.validation, 1)
			if err != nil {
				return err
			}
			scores, err := evaluator.Evaluate(cmd.Context(), a)
			if err != nil {
				return err
			}
			g, err := net.Export(a, scores[0])
			if err != nil {
				return err
			}
			if costs != nil {
				if err := addCost(g, costs); err != nil {
					return err
				}
			}
			if err := onnx.Write(output, g); err != nil {
				return err
			}
			accuracy, err := modelAccuracy(cmd.Context(), output, images.test)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %.2f%% of %d held-out images right; %.2f million multiply-accumulates, %d parameters\n",
				output, 100*accuracy, images.test.N, float64(g.MACs())/1e6, g.Params())
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&spaceName, "space", quickstartSpace, "search space")
	flags.StringVar(&checkpoint, "supernet", "", "checkpoint of the supernet")
	flags.StringVar(&architecture, "arch", "", "architecture of the space, such as 2.0.1")
	flags.StringVar(&data, "data", "", "folder of the data set's standard files; default: the embedded sample")
	source.add(cmd)
	flags.StringVarP(&output, "output", "o", "", "ONNX file to write")
	return cmd
}
