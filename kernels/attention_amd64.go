package kernels

func attentionImplementation(name string) attentionKernels {
	switch name {
	case avx512:
		return attentionKernels{scoreRowsAVX512, transposeRowsAVX512, 16, dotRowsAVX512, &panelKernelsAVX512}
	case avx2:
		return attentionKernels{scoreRowsAVX2, transposeRowsAVX2, 8, dotRowsAVX2, nil}
	}
	return portableAttention
}

var panelKernelsAVX512 = panelKernels{
	scores: [...][panelVectors]func(*panelScores){
		{panelScores7x1AVX512, panelScores7x2AVX512},
		{panelScores8x1AVX512, panelScores8x2AVX512},
		{panelScores9x1AVX512, panelScores9x2AVX512},
		{panelScores10x1AVX512, panelScores10x2AVX512},
		{panelScores11x1AVX512, panelScores11x2AVX512},
		{panelScores12x1AVX512, panelScores12x2AVX512},
		{panelScores13x1AVX512, panelScores13x2AVX512},
		{panelScores14x1AVX512, panelScores14x2AVX512},
	},
	values: [...][panelVectors]func(*panelValues){
		{panelValues7x1AVX512, panelValues7x2AVX512},
		{panelValues8x1AVX512, panelValues8x2AVX512},
		{panelValues9x1AVX512, panelValues9x2AVX512},
		{panelValues10x1AVX512, panelValues10x2AVX512},
		{panelValues11x1AVX512, panelValues11x2AVX512},
		{panelValues12x1AVX512, panelValues12x2AVX512},
		{panelValues13x1AVX512, panelValues13x2AVX512},
		{panelValues14x1AVX512, panelValues14x2AVX512},
	},
}
