package kernels

// operatorJobs is the part of a [Workspace] that belongs to the operators that
// memory bounds.
type operatorJobs struct {
	broadcast broadcastJob
	pool      poolJob
	normalise normaliseJob
	groupNorm groupNormJob
	move      moveJob
	gather    gatherJob
	reduce    reduceJob
	argMax    argMaxJob
	optimizer optimizerJob
	norm      normJob
	resize    resizeJob
	half      halfJob
}
