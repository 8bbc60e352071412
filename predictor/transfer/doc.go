// Package transfer predicts what networks, or workloads, cost on a new device of
// which only a few measurements exist, from complete measurements on other
// devices. Each answer has an interval.
//
// Two forms of measurements are taken. [Protocol] works on published tables of
// whole networks' latencies in milliseconds ([ReadTable]): it plays the few-shot
// experiment of Lee et al., "HELP: Hardware-Adaptive Efficient Latency Prediction
// for NAS via Meta-Learning" (NeurIPS 2021). [CompleteTable] predicts the rows of
// a new device's latency table, in nanoseconds, from those of other devices;
// [ChooseRows] says which rows to measure for that.
//
// The method: many Gaussian processes, which differ in their covariance, noise
// and scale (costs multiply, or add), are conditioned on the measurements and
// averaged. An average process counts by how probable it makes the measurements
// and by how well it ranked what known devices cost, when each in turn played the
// new device and was seen only through devices of other families. Covariances
// compare networks by their cost on known devices, smoothed by an additive model,
// and by what they consist of, with and without what a compiler removes. Additive
// models with next to no noise stand for devices that cost exact sums. With
// more than 64 measurements the weights of one process are fitted to them instead
// (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006).
// Intervals are conformal: the errors of rehearsals and of leaving measurements
// out, over their standard deviation, are what intervals are read from.
package transfer
