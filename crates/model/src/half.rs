//! The two 16-bit floats that model files hold, as f32, which has all their values.

/// bfloat16: the upper half of an f32.
pub(crate) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754's binary16: sign, 5 bits of exponent e, 10 bits of mantissa m; (1024 + m) 2^(e - 25), and m 2^-24 where e is 0.
pub(crate) fn from_f16(bits: u16) -> f32 {
    let power_of_two = |e: u32| f32::from_bits((e + 127) << 23);
    let (e, m) = (u32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match e {
        0 => m / power_of_two(24),
        31 if m == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + m) * power_of_two(e) / power_of_two(25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_binary16() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x8001, -5.960_464_5e-8),
            (0x0000, 0.0),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(from_f16(bits), value, "{bits:#x}");
        }
        assert!(from_f16(0x7c01).is_nan() && from_f16(0x8000).is_sign_negative());
    }
}
