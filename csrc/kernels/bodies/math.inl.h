// Exponentials of vectors.

/// eˣ, relative error below 2e-7; 0 below -87, infinity above 88.7.
CONVERGIO_INLINE V exp(V x) {
  // x = n · ln 2 + r, |r| <= ln 2 / 2; the polynomial is Taylor's, its last term below 2^-25
  const V bounded = vmin(vmax(x, splat(-87.3F)), splat(88.4F));
  const V n = round_even(bounded * splat(1.44269504F));
  V r = fma(n, splat(-0.693145752F), bounded);
  r = fma(n, splat(-1.42860677e-6F), r);
  V p = splat(1.0F / 5040.0F);
  p = fma(p, r, splat(1.0F / 720.0F));
  p = fma(p, r, splat(1.0F / 120.0F));
  p = fma(p, r, splat(1.0F / 24.0F));
  p = fma(p, r, splat(1.0F / 6.0F));
  p = fma(p, r, splat(0.5F));
  p = fma(p, r, splat(1.0F));
  p = fma(p, r, splat(1.0F));
  return p * exp2i(n);
}

CONVERGIO_INLINE V sigmoid(V x) { return splat(1.0F) / (splat(1.0F) + exp(splat(0.0F) - x)); }

CONVERGIO_INLINE V tanh(V x) {
  // 1 - 2 / (e^2|x| + 1) loses digits near 0, where x - x³/3 + 2x⁵/15 - 17x⁷/315 holds
  const V a = vabs(x);
  const V far = splat(1.0F) - splat(2.0F) / (exp(a + a) + splat(1.0F));
  const V s = x * x;
  V near = fma(s, splat(-17.0F / 315.0F), splat(2.0F / 15.0F));
  near = fma(near, s, splat(-1.0F / 3.0F));
  near = fma(near * s, a, a);
  return copysign(where_below(a, splat(0.15F), near, far), x);
}

/// erf by Abramowitz and Stegun 7.1.26 (error below 1.5e-7).
CONVERGIO_INLINE V erf(V x) {
  const V a = vabs(x);
  const V t = splat(1.0F) / fma(a, splat(0.3275911F), splat(1.0F));
  V p = fma(t, splat(1.061405429F), splat(-1.453152027F));
  p = fma(p, t, splat(1.421413741F));
  p = fma(p, t, splat(-0.284496736F));
  p = fma(p, t, splat(0.254829592F));
  const V tail = p * t * exp(splat(0.0F) - a * a);
  return copysign(splat(1.0F) - tail, x);
}
