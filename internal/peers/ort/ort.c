// Times an ONNX model by ONNX Runtime's C API and nothing else, as a program
// that deploys it would run it: inputs given once, outputs allocated by the
// library and released. Build: cc -O2 -o ort ort.c -ldl
// Usage: ort LIBONNXRUNTIME MODEL THREADS [NAME:FILE:DIM,DIM,...]...
// FILE has an input's float32 elements. For each line with a number n on its
// standard input it runs the model n times and prints the ns that these took.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void *(*fn)();
static fn *table; // OrtApi, whose order onnxruntime_c_api.h has

static void check(void *status) {
  if (!status) return;
  fprintf(stderr, "ort: %s\n", (char *)table[2](status)); // GetErrorMessage
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 4) { fprintf(stderr, "usage: ort LIB MODEL THREADS [NAME:FILE:DIMS]...\n"); return 2; }
  void *lib = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!lib) { fprintf(stderr, "ort: %s\n", dlerror()); return 1; }
  fn *base = ((fn *(*)(void))dlsym(lib, "OrtGetApiBase"))();
  table = (fn *)((void *(*)(uint32_t))base[0])(16);
  void *env, *options, *session, *memory, *allocator, *in[16], *out[16];
  char *in_names[16], *out_names[16];
  size_t inputs = argc - 4, outputs;
  check(table[3](2, "ort", &env));                // CreateEnv
  check(table[10](&options));                     // CreateSessionOptions
  check(table[24](options, atoi(argv[3])));       // SetIntraOpNumThreads
  check(table[25](options, 1));                   // SetInterOpNumThreads
  check(table[23](options, 99));                  // SetSessionGraphOptimizationLevel
  check(table[7](env, argv[2], options, &session)); // CreateSession
  check(table[69](1, 0, &memory));                // CreateCpuMemoryInfo
  check(table[78](&allocator));                   // GetAllocatorWithDefaultOptions
  for (size_t i = 0; i < inputs && i < 16; i++) {
    int64_t dims[8];
    size_t rank = 0, size = sizeof(float);
    in_names[i] = strtok(argv[4 + i], ":");
    char *file = strtok(NULL, ":");
    for (char *d = strtok(NULL, ","); d; d = strtok(NULL, ",")) size *= dims[rank++] = atoll(d);
    void *data = aligned_alloc(64, (size + 63) / 64 * 64);
    FILE *f = fopen(file, "rb");
    if (!f || fread(data, 1, size, f) != size) { fprintf(stderr, "ort: %s is too short\n", file); return 1; }
    fclose(f);
    check(table[49](memory, data, size, dims, rank, 1, &in[i])); // CreateTensorWithDataAsOrtValue
  }
  check(table[31](session, &outputs)); // SessionGetOutputCount
  for (size_t i = 0; i < outputs && i < 16; i++) check(table[37](session, i, allocator, &out_names[i])); // SessionGetOutputName
  long n;
  while (scanf("%ld", &n) == 1) {
    int64_t start = 0;
    for (long r = -1; r < n; r++) { // the first is not counted: it brings the data back into the caches
      if (r == 0) start = now();
      memset(out, 0, sizeof out);
      check(table[9](session, NULL, in_names, in, inputs, out_names, outputs, out)); // Run
      for (size_t i = 0; i < outputs; i++) table[96](out[i]);                        // ReleaseValue
    }
    printf("%lld\n", (long long)(now() - start));
    fflush(stdout);
  }
  return 0;
}
