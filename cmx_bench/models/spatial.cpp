// The spatial half of a ConvMixer block for activations in channels-last layout:
//
//     y = scale * x + shift            result = y + factor * activation(convolution(y) + bias)
//
// A task computes LANES channels of one image. It keeps SIZE rows of y in fp32, with zeros around
// them, so that each value of x is read once. The sums of TILE neighbours stay in registers.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int64_t LANES = 16, TILE = 8;
#elif defined(__AVX__)
constexpr int64_t LANES = 8, TILE = 4;
#else
constexpr int64_t LANES = 4, TILE = 4;
#endif
constexpr int64_t SIZE = KERNEL_SIZE;
constexpr int64_t BEFORE = (SIZE - 1) / 2;  // padding="same": an even one reaches further behind

typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));

template <typename V, typename T>
inline V load(const T* from) {
  V values;
  std::memcpy(&values, from, sizeof(V));
  return values;
}

inline Floats widen(const float* from) { return load<Floats>(from); }
inline Floats widen(const uint16_t* from) {
  return (Floats)(__builtin_convertvector(load<Halves>(from), Words) << 16);
}

inline void narrow(Floats values, float* to) { std::memcpy(to, &values, sizeof(values)); }
inline void narrow(Floats values, uint16_t* to) {  // to the nearest bf16, of two to the even one
  const Words bits = (Words)values, rounded = bits + 0x7fff + (bits >> 16 & 1);
  const Words kept = values == values ? rounded : bits | 1 << 22;  // rounding would end NaNs
  const Halves halves = __builtin_convertvector(kept >> 16, Halves);
  std::memcpy(to, &halves, sizeof(halves));
}

// The last block of channels may have fewer than LANES.
template <typename T>
inline Floats read(const T* from, int64_t known) {
  if (known == LANES) return widen(from);
  T values[LANES] = {};
  std::copy(from, from + known, values);
  return widen(values);
}

template <typename T>
inline void write(Floats results, T* to, int64_t known) {
  if (known == LANES) return narrow(results, to);
  T values[LANES];
  narrow(results, values);
  std::copy(values, values + known, to);
}

template <size_t COUNT>
inline Floats polynomial(Floats x, const float (&coefficients)[COUNT]) {
  Floats sum = {};
#pragma GCC unroll 8
  for (float coefficient : coefficients) sum = sum * x + coefficient;
  return sum;
}

// erf(z) is z * P(z * z) / Q(z * z) within 4e-7, as in Eigen and XLA.
constexpr float P[] = {-2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f,
                       -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                       -1.60960333262415e-02f};
constexpr float Q[] = {-1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f,
                       -7.37332916720468e-03f, -1.42647390514189e-02f};

template <bool GELU>
inline Floats activate(Floats x) {
  const Floats zero = {}, limit = zero + 4.0f;
  if (!GELU) return x < zero ? zero : x;
  const Floats wide = x * 0.7071067811865476f, half = x * 0.5f;
  const Floats z = wide > limit ? limit : wide < -limit ? -limit : wide;
  return half + half * (z * polynomial(z * z, P) / polynomial(z * z, Q));
}

template <typename T, bool GELU>
void compute(const T* images, const float* constants, T* results, int64_t height, int64_t width,
             int64_t channels, int64_t known, std::vector<float>& rows) {
  Floats taps[SIZE * SIZE + 4];
  for (int64_t i = 0; i < SIZE * SIZE + 4; i++) taps[i] = read(constants + i * channels, known);
  const Floats bias = taps[SIZE * SIZE], factor = taps[SIZE * SIZE + 1];
  const Floats scale = taps[SIZE * SIZE + 2], shift = taps[SIZE * SIZE + 3];
  const int64_t length = rows.size() / SIZE;
  std::fill(rows.begin(), rows.end(), 0.0f);

  for (int64_t next = 0, y = BEFORE + 1 - SIZE; y < height; next++, y++) {
    float* row = &rows[next % SIZE * length + BEFORE * LANES];
    const T* pixel = images + next * width * channels;
    for (int64_t x = 0; x < width && next < height; x++, row += LANES, pixel += channels)
      narrow(read(pixel, known) * scale + shift, row);
    if (y < 0) continue;
    T* to = results + y * width * channels;
    for (int64_t x = 0; x < width; x += TILE) {
      Floats sums[TILE], done[TILE];
#pragma GCC unroll 8
      for (int64_t i = 0; i < TILE; i++) sums[i] = bias;
      const int64_t from = std::max(BEFORE - y, int64_t{0});
      const int64_t end = std::min(SIZE, height + BEFORE - y);
      for (int64_t down = from; down < end; down++) {
        const float* near = &rows[(y + down - BEFORE) % SIZE * length + x * LANES];
        Floats values[TILE + SIZE - 1];
#pragma GCC unroll 64
        for (int64_t i = 0; i < TILE + SIZE - 1; i++) values[i] = widen(near + i * LANES);
#pragma GCC unroll 64
        for (int64_t across = 0; across < SIZE; across++)
#pragma GCC unroll 8
          for (int64_t i = 0; i < TILE; i++)
            sums[i] += values[i + across] * taps[down * SIZE + across];
      }
#pragma GCC unroll 8
      for (int64_t i = 0; i < TILE; i++) done[i] = factor * activate<GELU>(sums[i]);
      const float* middle = &rows[y % SIZE * length + (BEFORE + x) * LANES];
      for (int64_t i = 0; i < std::min(TILE, width - x); i++, middle += LANES, to += channels)
        write(widen(middle) + done[i], to, known);
    }
  }
}

template <typename T, bool GELU>
void compute_all(const T* images, const float* constants, T* results, int64_t count,
                 int64_t channels, int64_t height, int64_t width, int threads) {
  const int64_t blocks = (channels + LANES - 1) / LANES;
  const int64_t length = ((width + TILE - 1) / TILE * TILE + SIZE - 1) * LANES;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> rows(SIZE * length);
#pragma omp for
    for (int64_t task = 0; task < count * blocks; task++) {
      const int64_t first = task % blocks * LANES;
      const int64_t place = task / blocks * height * width * channels + first;
      compute<T, GELU>(images + place, constants + first, results + place, height, width, channels,
                       std::min(LANES, channels - first), rows);
    }
  }
}

}  // namespace

extern "C" {

void fp32(const float* images, const float* constants, float* results, int64_t count,
          int64_t channels, int64_t height, int64_t width, int threads, bool gelu) {
  const auto function = gelu ? compute_all<float, true> : compute_all<float, false>;
  function(images, constants, results, count, channels, height, width, threads);
}

void bf16(const uint16_t* images, const float* constants, uint16_t* results, int64_t count,
          int64_t channels, int64_t height, int64_t width, int threads, bool gelu) {
  const auto function = gelu ? compute_all<uint16_t, true> : compute_all<uint16_t, false>;
  function(images, constants, results, count, channels, height, width, threads);
}

}  // extern "C"
