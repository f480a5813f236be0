//! Which instructions this CPU has, asked once at run time, and the macro that compiles one source for each.

use std::sync::atomic::{AtomicU8, Ordering};

/// The instruction sets that the elementwise kernels are compiled for, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What every CPU of the architecture has.
    Plain = 1,
    /// AVX2 and FMA.
    Avx2 = 2,
    /// AVX-512 (F, BW, DQ, VL).
    Avx512 = 3,
    /// AVX-512 and tile registers that multiply bf16 (AMX).
    Amx = 4,
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best of this CPU, unless [`force`] or the variable `GPT1_CPU` (`plain`, `avx2`, `avx512`, `amx`) lowered it.
#[inline]
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Plain,
        2 => Level::Avx2,
        3 => Level::Avx512,
        4 => Level::Amx,
        _ => choose(),
    }
}

/// Uses `level` from now on, or the best below it that this CPU has; returns what is in use. For tests of every path.
pub fn force(level: Level) -> Level {
    let level = level.min(detect());
    LEVEL.store(level as u8, Ordering::Relaxed);
    level
}

/// For tests that call [`force`], or that want the same path all through: one at a time, as the level is the whole process's.
#[cfg(test)]
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cold]
fn choose() -> Level {
    let wanted = match std::env::var("GPT1_CPU").as_deref() {
        Ok("plain") => Level::Plain,
        Ok("avx2") => Level::Avx2,
        Ok("avx512") => Level::Avx512,
        _ => Level::Amx,
    };
    force(wanted)
}

fn detect() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            return if has_tiles() { Level::Amx } else { Level::Avx512 };
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Plain
}

/// Whether the CPU has tile registers with bf16 products and the system lets this process use them.
#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::LazyLock;

    static HAS: LazyLock<bool> = LazyLock::new(|| {
        const OSXSAVE: u32 = 1 << 27;
        const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
        const TILE_STATE: u32 = 0b11 << 17;
        if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
            return false;
        }
        if __cpuid_count(7, 0).edx & BF16_AND_TILES != BF16_AND_TILES {
            return false;
        }
        let enabled: u32;
        // SAFETY: the CPU has xgetbv (OSXSAVE); it reads a control register.
        unsafe { asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack)) };
        enabled & TILE_STATE == TILE_STATE && may_use_tiles()
    });
    *HAS
}

/// Asks Linux for the tile registers, which it gives only on request: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn may_use_tiles() -> bool {
    let result: i64;
    // SAFETY: the system call takes two numbers; it changes rax, rcx and r11 and no memory of ours.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") 158_i64 => result, in("rdi") 0x1023, in("rsi") 18,
            out("rcx") _, out("r11") _, options(nostack)
        );
    }
    result == 0
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn may_use_tiles() -> bool {
    false
}

/// Whether Intel made this CPU.
pub(crate) fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        // A virtual machine takes long to answer.
        static IS_INTEL: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
            let id = std::arch::x86_64::__cpuid(0);
            [id.ebx, id.edx, id.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
        });
        *IS_INTEL
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// `a * b + c`, as one instruction where `FMA` says that the CPU has it.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Sixteen values made one by halving: a few operations of vectors, where one value after the other would wait for each.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
pub(crate) fn halved(mut lanes: [f32; 16], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = 8;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Compiles a function's body once for each [`Level`] and calls the one in use. Inside the body, the constant `FMA` says
/// whether fused multiply-add is one instruction.
macro_rules! for_each_cpu {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<$e:ident: $bound:ident>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? { $($body:tt)* }
    ) => {
        $(#[$meta])*
        $vis fn $name $(<$e: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::inline_always, reason = "must be compiled inside the function that has the instructions")]
            fn body<$($e: $bound,)? const FMA: bool>($($arg: $ty),*) $(-> $ret)? { $($body)* }
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512 $(<$e: $bound>)? ($($arg: $ty),*) $(-> $ret)? { body::<$($e,)? true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$e: $bound>)? ($($arg: $ty),*) $(-> $ret)? { body::<$($e,)? true>($($arg),*) }
                match $crate::cpu::level() {
                    // SAFETY: `level` returns Avx512 and what is above only where the CPU was seen to have these features.
                    $crate::cpu::Level::Avx512 | $crate::cpu::Level::Amx => return unsafe { avx512 $(::<$e>)? ($($arg),*) },
                    // SAFETY: `level` returns Avx2 only where the CPU was seen to have these features.
                    $crate::cpu::Level::Avx2 => return unsafe { avx2 $(::<$e>)? ($($arg),*) },
                    $crate::cpu::Level::Plain => {}
                }
            }
            body::<$($e,)? { cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use for_each_cpu;
