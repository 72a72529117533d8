//! Which build of a kernel runs: the portable one, or one for wider registers that this CPU has.

use std::fmt;
use std::sync::OnceLock;

/// One build of every kernel in this crate. All variants give the same bits; they differ in speed.
///
/// A value proves that the CPU can run it, so a variant cannot be forged, only listed.
///
/// ```
/// use flare_kernels::Variant;
/// assert!(Variant::available().any(|variant| variant == Variant::PORTABLE));
/// assert!(Variant::available().any(|variant| variant == Variant::best()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant(Level);

/// The register width a variant is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Variant {
    /// The build that every CPU of the target runs.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The build for AVX2 and FMA; `None` if this CPU lacks them.
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some(Self(Level::Avx2));
        }
        None
    }

    /// The build for AVX-512 (F, DQ, VL, BW); `None` if this CPU lacks it.
    pub fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if Self::avx2().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            return Some(Self(Level::Avx512));
        }
        None
    }

    /// Every variant that this CPU can run, the slowest first. Tests go through all of them.
    pub fn available() -> impl Iterator<Item = Self> {
        [Some(Self::PORTABLE), Self::avx2(), Self::avx512()].into_iter().flatten()
    }

    /// The fastest variant of this CPU, chosen once per process.
    pub fn best() -> Self {
        static BEST: OnceLock<Variant> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().last().unwrap_or(Self::PORTABLE))
    }
}

/// A computation that is compiled once for each variant.
pub(crate) trait Kernel {
    type Output;

    /// Implementations are `#[inline(always)]`, so that the code takes on the caller's features.
    /// `FUSED` says that a fused multiply-add is one instruction.
    fn run<const FUSED: bool>(self) -> Self::Output;
}

impl Variant {
    /// Runs the build of `kernel` for this variant.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Portable => kernel.run::<false>(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Variant` of this level exists only where the CPU has these features.
            Level::Avx2 => unsafe { run_avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl,avx512bw")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        })
    }
}
