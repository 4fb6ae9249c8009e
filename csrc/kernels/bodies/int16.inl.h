// Activations in 16 bits, as high and low int8: AVX-512 VNNI.
//
// Each group of a row of x, cut as W's groups are, is rounded to 16 bits, q = 256 · high + low,
// both signed bytes, so that the error is 2⁻¹⁶ of the group's largest: next to that of float32
// sums, and far below that of half precision. W's numbers become unsigned bytes, and one
// instruction multiplies 64 of them by 64 of x's. For each group, y += scale_w · scale_x · Σ q_w ·
// q_x + bias_w · Σ x, with the sum over what was rounded. 4-bit floats become 2 · value + 12, with
// half the scale and a bias of -6 scales.

/// Vectors of bytes that a load of W unpacks to, from the width of a number alone.
constexpr std::int64_t block_vectors(int bits) { return bits == 2 ? 4 : bits == 4 ? 2 : 1; }

/// 4-bit floats as bytes: 2 · value + 12.
CONVERGIO_INLINE __m512i e2m1_bytes() {
  return _mm512_broadcast_i32x4(
      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}

/// One group: its bytes in their order, the scale, and the sum of what they stand for.
CONVERGIO_INLINE void quantize_group(const float* x, int count, std::int8_t* high, std::int8_t* low,
                                     float* scale, float* total) {
  constexpr float kLargest = 127.0F * 256.0F;
  V most = splat(0.0F);
  for (int k = 0; k < count; k += kLanes) {
    most = vmax(most, vabs(load(x + k)));
  }
  const float size = largest(most);
  const V inverse = splat(size > 0.0F ? kLargest / size : 0.0F);
  V sums = splat(0.0F);
  for (int k = 0; k < count; k += kLanes) {
    const V rounded = round_even(load(x + k) * inverse);
    sums = sums + rounded;
    const __m512i q = _mm512_cvtps_epi32(rounded);
    const __m512i bottom = _mm512_srai_epi32(_mm512_slli_epi32(q, 24), 24);
    const __m512i top = _mm512_srai_epi32(_mm512_sub_epi32(q, bottom), 8);
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(high + k), _mm512_cvtepi32_epi8(top));
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(low + k), _mm512_cvtepi32_epi8(bottom));
  }
  *scale = size / kLargest;
  *total = *scale * sum(sums);
}

/// What a group adds to an output: its products, of whole numbers, by the scales of both, and the
/// bias by the sum of x. An output is 0 plus those of its groups in their order, in every kernel,
/// so that it does not depend on how many rows of x there are.
CONVERGIO_INLINE V group_result(__m512i products, V scale, V bias, V x_sum) {
  return fma(bias, x_sum, _mm512_cvtepi32_ps(products) * scale);
}
