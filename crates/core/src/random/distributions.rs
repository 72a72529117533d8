//! Normal, gamma and Dirichlet draws, on `libm` alone.

use super::Stream;

/// The smallest shape of a gamma draw, and the smallest alpha of a Dirichlet draw.
pub const MIN_SHAPE: f64 = 1e-300;
/// The largest shape of a gamma draw, and the largest alpha of a Dirichlet draw: beyond it the
/// rejection's terms cancel to noise.
pub const MAX_SHAPE: f64 = 1e12;

impl Stream {
    /// A standard normal draw: mean 0, variance 1 (Marsaglia's polar method, 1964).
    ///
    /// u and then v are 2 [`f64`](Self::f64) - 1, drawn again while s = u² + v² is 0 or at least 1.
    /// The result is u √(-2 ln s / s). The method's second number, made of v, is not used, so that
    /// nothing but the place in the stream is remembered.
    pub fn normal(&mut self) -> f64 {
        loop {
            let u = 2.0 * self.f64() - 1.0;
            let v = 2.0 * self.f64() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * libm::sqrt(-2.0 * libm::log(s) / s);
            }
        }
    }

    /// A gamma draw with scale 1: mean and variance are `shape` (Marsaglia and Tsang, "A simple method
    /// for generating gamma variables", 2000, without its squeeze).
    ///
    /// For a shape of at least 1, with d = shape - 1/3 and c = 1 / √(9 d): x is
    /// [`normal`](Self::normal) and v = (1 + c x)³; where v is not positive x is drawn again; u is
    /// 1 - [`f64`](Self::f64). The result is d v if ln u < x²/2 + d - d v + d ln v, else all is drawn
    /// again. Below 1 it is e to [`gamma_ln`](Self::gamma_ln), which for small shapes is often too small
    /// for an `f64` and then 0.
    ///
    /// # Panics
    /// When `shape` is not from [`MIN_SHAPE`] to [`MAX_SHAPE`].
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 { libm::exp(self.gamma_ln(shape)) } else { self.gamma_from_one(shape) }
    }

    /// The natural logarithm of a [`gamma`](Self::gamma) draw: finite for every shape.
    ///
    /// For a shape below 1 it is ln g + ln u / shape, where g is first drawn for shape + 1, and u is
    /// 1 - [`f64`](Self::f64).
    ///
    /// # Panics
    /// When `shape` is not from [`MIN_SHAPE`] to [`MAX_SHAPE`].
    pub fn gamma_ln(&mut self, shape: f64) -> f64 {
        if shape >= 1.0 {
            return libm::log(self.gamma_from_one(shape));
        }
        check_shape(shape);
        let from_one = libm::log(self.gamma_from_one(shape + 1.0));
        from_one + libm::log(1.0 - self.f64()) / shape
    }

    /// `n` shares of a whole, from the symmetric Dirichlet distribution: none negative, none NaN, their
    /// sum 1 but for rounding. The smaller `alpha`, the fewer of them have nearly all.
    ///
    /// The shares are n [`gamma_ln`](Self::gamma_ln) draws of shape `alpha`, in order, each less the
    /// largest of them, e to them, over their sum from first to last. So the largest weight is 1 and the
    /// sum never 0, however small `alpha` is.
    ///
    /// # Panics
    /// When `alpha` is not from [`MIN_SHAPE`] to [`MAX_SHAPE`].
    pub fn dirichlet(&mut self, alpha: f64, n: usize) -> Vec<f64> {
        let mut shares: Vec<f64> = (0..n).map(|_| self.gamma_ln(alpha)).collect();
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for share in &mut shares {
            *share = libm::exp(*share - largest);
        }
        let mut sum = 0.0;
        for share in &shares {
            sum += share;
        }
        for share in &mut shares {
            *share /= sum;
        }
        shares
    }

    /// A gamma draw for a shape of at least 1.
    fn gamma_from_one(&mut self, shape: f64) -> f64 {
        check_shape(shape);
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let v = root * root * root;
            if v <= 0.0 {
                continue;
            }
            let u = 1.0 - self.f64();
            if libm::log(u) < 0.5 * (x * x) + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

/// Refuses a shape for which the arithmetic would leave the range of an `f64`; NaN too.
fn check_shape(shape: f64) {
    assert!(
        (MIN_SHAPE..=MAX_SHAPE).contains(&shape),
        "a gamma draw of shape {shape:e} was asked for; ask for {MIN_SHAPE:e} to {MAX_SHAPE:e}"
    );
}
