//! The instructions of the AMX micro-kernel in software, for tests on CPUs without them: each raises SIGILL, whose handler does
//! what the instruction would and goes on after it. Semantics and encodings: Intel 64 and IA-32 Architectures Software
//! Developer's Manual, volume 2, and "Intel Architecture Instruction Set Extensions Programming Reference", chapter 3.

use std::cell::RefCell;

const ROWS: usize = 16;
const WORDS: usize = 16;
type Tile = [[u32; WORDS]; ROWS];

#[derive(Default)]
struct State {
    is_configured: bool,
    tiles: [Tile; 8],
    n_executed: usize,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// From now on the process executes AMX instructions in software.
pub(crate) fn install() {
    // SAFETY: the handler has the signature that SA_SIGINFO asks for; the structure is plain data, for which zero is valid.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigill as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGILL, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// Instructions that this thread has executed in software, and whether it has tiles configured.
pub(crate) fn state() -> (usize, bool) {
    STATE.with_borrow(|state| (state.n_executed, state.is_configured))
}

extern "C" fn on_sigill(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the third argument is the interrupted thread's ucontext_t.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let rip = registers[libc::REG_RIP as usize];
    // SAFETY: an instruction is at rip; at most its 15 bytes are looked at, and the code of a function follows.
    let code = unsafe { std::slice::from_raw_parts(rip as *const u8, 15) };
    let length = STATE.with_borrow_mut(|state| execute(state, code, registers));
    let Some(length) = length else {
        // Not ours: the default action, when the instruction is tried again.
        // SAFETY: restoring the default is always allowed.
        unsafe { libc::signal(libc::SIGILL, libc::SIG_DFL) };
        return;
    };
    registers[libc::REG_RIP as usize] = rip + length as i64;
}

/// Executes an instruction; returns its length, or none if it is none of AMX.
fn execute(state: &mut State, code: &[u8], registers: &[i64; 23]) -> Option<usize> {
    // VEX, three bytes, opcode map 0F38, W 0, L 0.
    if code[0] != 0xC4 || code[1] & 0x1F != 2 || code[2] & 0x84 != 0 {
        return None;
    }
    let vvvv = usize::from(!code[2] >> 3 & 0xF);
    let (prefix, opcode, modrm) = (code[2] & 3, code[3], code[4]);
    let (mode, reg, rm) = (modrm >> 6, usize::from(modrm >> 3 & 7), usize::from(modrm & 7));
    let (none, repeat, repeat_not) = (0, 2, 3);
    let length = match (prefix, opcode, mode) {
        // tilerelease
        (p, 0x49, 3) if p == none && modrm == 0xC0 => {
            *state = State { n_executed: state.n_executed, ..State::default() };
            5
        }
        // tilezero
        (p, 0x49, 3) if p == repeat_not => {
            assert!(state.is_configured);
            state.tiles[reg] = Tile::default();
            5
        }
        // ldtilecfg
        (p, 0x49, _) if p == none && reg == 0 => {
            let (address, _, length) = memory(code, registers);
            // SAFETY: the instruction reads 64 bytes there.
            let bytes = unsafe { *(address as *const [u8; 64]) };
            let row_bytes: Vec<u16> = bytes[16..48].chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
            assert!(bytes[0] == 1 && bytes[1..16].iter().all(|b| *b == 0), "palette 1, nothing reserved");
            assert!(row_bytes[..8].iter().all(|n| *n == 64) && row_bytes[8..].iter().all(|n| *n == 0));
            assert!(bytes[48..56].iter().all(|n| *n == 16) && bytes[56..].iter().all(|n| *n == 0));
            (state.is_configured, state.tiles) = (true, [Tile::default(); 8]);
            length
        }
        // tileloadd
        (p, 0x4B, _) if p == repeat_not => {
            assert!(state.is_configured && rm == 4);
            let (address, stride, length) = memory(code, registers);
            for (i, row) in state.tiles[reg].iter_mut().enumerate() {
                // SAFETY: the instruction reads 64 bytes in each row.
                *row = unsafe { ((address + i as i64 * stride) as *const [u32; WORDS]).read_unaligned() };
            }
            length
        }
        // tilestored
        (p, 0x4B, _) if p == repeat => {
            assert!(state.is_configured && rm == 4);
            let (address, stride, length) = memory(code, registers);
            for (i, row) in state.tiles[reg].iter().enumerate() {
                // SAFETY: the instruction writes 64 bytes in each row.
                unsafe { ((address + i as i64 * stride) as *mut [u32; WORDS]).write_unaligned(*row) };
            }
            length
        }
        // tdpbf16ps
        (p, 0x5C, 3) if p == repeat => {
            assert!(state.is_configured && reg != rm && rm != vvvv && reg != vvvv, "three different tiles");
            let (a, b) = (state.tiles[rm], state.tiles[vvvv]);
            for (c, a) in state.tiles[reg].iter_mut().zip(&a) {
                *c = std::array::from_fn(|n| {
                    let (mut even, mut odd) = (0.0_f32, 0.0_f32);
                    for (a, b) in a.iter().zip(&b) {
                        even = low(*a).mul_add(low(b[n]), even);
                        odd = high(*a).mul_add(high(b[n]), odd);
                    }
                    (f32::from_bits(c[n]) + (even + odd)).to_bits()
                });
            }
            5
        }
        _ => return None,
    };
    state.n_executed += 1;
    Some(length)
}

fn low(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

fn high(pair: u32) -> f32 {
    f32::from_bits(pair & 0xFFFF_0000)
}

/// The address of a memory operand, its index (a tile's stride), and the instruction's length.
fn memory(code: &[u8], registers: &[i64; 23]) -> (i64, i64, usize) {
    let (not_x, not_b) = (code[1] & 0x40 == 0, code[1] & 0x20 == 0);
    let (mode, rm) = (code[4] >> 6, code[4] & 7);
    let mut length = 5;
    let (base, index) = if rm == 4 {
        let sib = code[5];
        length += 1;
        let (scale, index, base) = (sib >> 6, sib >> 3 & 7, sib & 7);
        let index = register(index, not_x, registers);
        (register(base, not_b, registers), if (code[5] >> 3 & 7, not_x) == (4, false) { 0 } else { index << scale })
    } else {
        assert!((mode, rm) != (0, 5), "no address relative to rip");
        (register(rm, not_b, registers), 0)
    };
    let displacement = match mode {
        1 => i64::from(code[length] as i8),
        2 => i64::from(i32::from_le_bytes([code[length], code[length + 1], code[length + 2], code[length + 3]])),
        _ => 0,
    };
    length += [0, 1, 4, 0][usize::from(mode)];
    (base + displacement, index, length)
}

/// A general register by its number in the encoding.
fn register(low: u8, extended: bool, registers: &[i64; 23]) -> i64 {
    use libc::{
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX, REG_RBP, REG_RBX, REG_RCX,
        REG_RDI, REG_RDX, REG_RSI, REG_RSP,
    };
    let of = [
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11,
        REG_R12, REG_R13, REG_R14, REG_R15,
    ];
    registers[of[usize::from(low) + 8 * usize::from(extended)] as usize]
}
