package kernels

type attentionBackward struct{}
