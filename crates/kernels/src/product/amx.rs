//! The micro-kernel for AMX: 32 x 32 of the result in four of the eight tile registers, two for A and two for B.
//!
//! A tile register has 16 rows of 16 words. One instruction multiplies 16 rows of A, 16 pairs along the inner size each, with 16
//! pairs of 16 columns of B (Intel, "Intrinsics for AMX": TDPBF16PS). Stable Rust has no intrinsics for it: inline assembly.

#[cfg(all(test, target_os = "linux"))]
pub(super) mod emulator;

use super::{Kernel, Rows};
use std::arch::asm;

const MR: usize = 32;
const NR: usize = 32;
/// Words of a row of a tile register.
const GROUP: usize = 16;
// The lines of `ahead` that a turn of the loop asks for.
const _: () = assert!(GROUP == 4 * super::AHEAD_STEPS && super::LINE * 4 == 64);

/// For pairs of bf16, where [`crate::cpu::level`] is AMX. A pass of B's panel is 24 KiB.
pub(super) const BF16: Kernel =
    Kernel { mr: MR, nr: NR, group: GROUP, pass: 192, run: bf16, around: Some((configure, release)) };

/// The tile configuration: palette 1, and for each register its rows and the bytes of a row.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static WHOLE_TILES: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

fn configure() {
    // SAFETY: called around blocks of this kernel, which is chosen only where the CPU has AMX and the system allows it; the
    // instruction reads the 64 bytes of the configuration.
    unsafe {
        asm!(
            "ldtilecfg [{}]", in(reg) &raw const WHOLE_TILES, options(nostack, readonly),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        );
    }
}

/// Gives the registers back, so that the system need not save them.
fn release() {
    // SAFETY: as `configure`; no memory is touched.
    unsafe {
        asm!(
            "tilerelease", options(nostack, nomem),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        );
    }
}

/// Pairs of bf16. Safety: see [`super::Run`].
unsafe fn bf16(a: Rows, b: &[u32], ahead: *const u32, c: &mut [f32], accumulate: bool) {
    let groups = b.len() / (NR * GROUP);
    assert!(groups > 0 && b.len() == groups * NR * GROUP && c.len() == MR * NR);
    // The lower half of the rows of c.
    let (c, lower) = c.split_at_mut(16 * NR);
    let (c, lower, ld) = (c.as_mut_ptr(), lower.as_mut_ptr(), NR);
    // SAFETY: the caller has seen that the CPU has AMX, and `configure` has been called on this thread. There are `groups` times
    // two tiles of A, one below the other, as the caller promises, and of B, side by side; c and `lower` hold two registers each.
    // The tile registers are not used by anything else.
    unsafe {
        if accumulate {
            asm!(
                "tileloadd tmm0, [{c} + {ld}]",
                "tileloadd tmm1, [{c} + {ld} + 64]",
                "tileloadd tmm2, [{lower} + {ld}]",
                "tileloadd tmm3, [{lower} + {ld} + 64]",
                c = in(reg) c, lower = in(reg) lower, ld = in(reg) ld * 4, options(nostack, readonly),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            );
        } else {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            );
        }
        asm!(
            "2:",
            "tileloadd tmm4, [{a} + {a_row}]",
            "prefetcht1 [{ahead}]",
            "tileloadd tmm6, [{b} + {b_row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "prefetcht1 [{ahead} + 64]",
            "tileloadd tmm7, [{b} + {b_row} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "prefetcht1 [{ahead} + 128]",
            "tileloadd tmm5, [{a_lower} + {a_row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "prefetcht1 [{ahead} + 192]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, {a_step}",
            "add {a_lower}, {a_step}",
            "add {b}, 2048",
            "add {ahead}, 256",
            "dec {groups}",
            "jnz 2b",
            "tilestored [{c} + {ld}], tmm0",
            "tilestored [{c} + {ld} + 64], tmm1",
            "tilestored [{lower} + {ld}], tmm2",
            "tilestored [{lower} + {ld} + 64], tmm3",
            groups = inout(reg) groups => _,
            a = inout(reg) a.at => _, a_lower = inout(reg) a.at.wrapping_add(16 * a.row) => _,
            a_row = in(reg) a.row * 4, a_step = in(reg) a.step * 4,
            b = inout(reg) b.as_ptr() => _, b_row = in(reg) 128_usize,
            ahead = inout(reg) ahead => _,
            c = in(reg) c, lower = in(reg) lower, ld = in(reg) ld * 4, options(nostack),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        );
    }
}
