package onnx

// firstOpset is the opset of ONNX that has an operator first, for those that
// came after opset 7 (docs/Changelog.md of github.com/onnx/onnx).
var firstOpset = opsetsOf(map[int][]string{
	8:  {"Expand", "Scan"},
	9:  {"Acosh", "Asinh", "Atanh", "Compress", "ConstantOfShape", "Cosh", "Erf", "EyeLike", "IsNaN", "MaxUnpool", "MeanVarianceNormalization", "NonZero", "OneHot", "Scatter", "Shrink", "Sign", "Sinh", "TfIdfVectorizer", "Where"},
	10: {"ConvInteger", "DequantizeLinear", "IsInf", "MatMulInteger", "Mod", "NonMaxSuppression", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Resize", "ReverseSequence", "RoiAlign", "StringNormalizer", "ThresholdedRelu"},
	11: {"BitShift", "ConcatFromSequence", "CumSum", "Det", "DynamicQuantizeLinear", "GatherElements", "GatherND", "Range", "Round", "ScatterElements", "ScatterND", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SplitToSequence", "Unique"},
	12: {"Celu", "Einsum", "GreaterOrEqual", "LessOrEqual", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"},
	14: {"HardSwish", "Trilu"},
	15: {"Bernoulli", "CastLike", "Optional", "OptionalGetElement", "OptionalHasElement"},
	16: {"GridSample"},
	17: {"BlackmanWindow", "DFT", "HammingWindow", "HannWindow", "LayerNormalization", "MelWeightMatrix", "STFT", "SequenceMap"},
	18: {"BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "CenterCropPad", "Col2Im", "GroupNormalization", "Mish"},
	19: {"DeformConv"},
	20: {"AffineGrid", "Gelu", "ImageDecoder", "RegexFullMatch", "StringConcat", "StringSplit"},
	23: {"Attention", "RMSNormalization", "RotaryEmbedding"},
	24: {"Swish", "TensorScatter"},
	26: {"BitCast", "CumProd"},
	27: {"CausalConvWithState", "LinearAttention"},
	28: {"SwiGLU"},
})

func opsetsOf(names map[int][]string) map[string]int {
	m := make(map[string]int)
	for opset, list := range names {
		for _, name := range list {
			m[name] = opset
		}
	}
	return m
}

// Since is the first opset that has an operator of ONNX.
func Since(operator string) int { return max(firstOpset[operator], 1) }

// NewestOpset is the last opset that is read.
const NewestOpset = newestOpset
