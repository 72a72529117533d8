//! Frozen values of the streams. `reference.py` beside this file computes them independently; only
//! the last bits of numbers behind a logarithm are this crate's own.

use flare_core::random::{CONTEXT, OperationKey, Stream, StreamId};

/// The stream for `purpose` under seed 0, with nothing else in its identity.
fn stream(purpose: &str) -> Stream {
    StreamId::new(0, purpose).stream()
}

/// Checks that `got` is `expected`, which another logarithm computed, and has exactly the frozen bits.
#[track_caller]
fn check(got: f64, expected: f64, bits: u64) {
    let close = (got - expected).abs() <= 1e-13 * expected.abs();
    assert!(close, "{got:e} is far from {expected:e}");
    assert_eq!(got.to_bits(), bits, "{got:e} has the bits {:#018x}", got.to_bits());
}

/// An identity that uses every field.
fn full() -> StreamId<'static> {
    let label = OperationKey::Label("train-3");
    StreamId::new(u64::MAX - 1, "shuffle").operation(label).stop(1).client("client-04")
}

#[test]
fn the_encoding_is_the_documented_one() {
    let hex: String = full().encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "0800000000000000feffffffffffffff070000000000000073687566666c65080000000000000001747261696e2d330400000000000000010000000900000000000000636c69656e742d3034"
    );
    assert_eq!(CONTEXT, "flare stream v1");
}

#[test]
fn every_field_of_the_identity_names_another_stream() {
    let a = StreamId::new(0, "a");
    let long = "x".repeat(300);
    let cases = [
        (a, 0xe99d_5450_b3a7_709a),
        (StreamId::new(1, "a"), 0x789a_8812_c5d1_cd90),
        (StreamId::new(0, "b"), 0x0c90_57c0_2dee_2ddd),
        (a.operation(OperationKey::Label("3")), 0x7802_1b63_4a8e_57e4),
        (a.operation(OperationKey::Ordinal(3)), 0x94ef_3527_c8b7_c6b9),
        (a.stop(1), 0xb743_1abb_d6a1_b623),
        (a.client("c"), 0x6a1a_8a47_05d5_fdcf),
        (a.client(&long), 0x9df1_1c97_bc7e_024f),
        (full(), 0xfc1d_0b27_081d_f848),
    ];
    for (id, first) in cases {
        assert_eq!(id.stream().u64(), first, "{id:?}");
    }
}

#[test]
fn fields_do_not_run_into_each_other() {
    let one = StreamId::new(0, "ab").client("c").encode();
    let other = StreamId::new(0, "a").client("bc").encode();
    assert_ne!(one, other);
}

#[test]
fn words_are_used_in_order_and_none_is_skipped() {
    let mut stream = stream("words");
    assert_eq!([stream.u32(), stream.u32(), stream.u32()], [0x515a_3fca, 0x7694_ccf9, 0x442e_e9d0]);
    for _ in 0..60 {
        stream.u32();
    }
    // Words 63 and 64 lie in different blocks, and in different buffers of the generator.
    assert_eq!(stream.u64(), 0xe5b3_70c3_9394_e3a2);
    let mut twin = stream.clone();
    assert_eq!(stream.u32(), 0xc34a_3d2d);
    assert_eq!(twin.u32(), 0xc34a_3d2d);
}

#[test]
fn floats() {
    let mut stream = stream("floats");
    let singles = [stream.f32(), stream.f32(), stream.f32()];
    assert_eq!(
        singles.map(f64::from),
        [0.6796014308929443, 0.37672728300094604, 0.34483569860458374]
    );
    let doubles = [stream.f64(), stream.f64(), stream.f64()];
    assert_eq!(doubles, [0.18698817702126702, 0.8685138987119647, 0.5393641813218164]);
}

#[test]
fn bounded_integers() {
    let mut stream = stream("below");
    let bounds = [1, 2, 10, 1000, (1 << 63) + 1, 3 << 62, u64::MAX];
    assert_eq!(
        bounds.map(|n| stream.below(n)),
        [0, 1, 3, 812, 2077164432544503495, 4047888863398942982, 17942404002467944987]
    );
    // A quarter of all draws is thrown away here.
    assert_eq!(
        [(); 8].map(|()| stream.below(3 << 62)),
        [
            12685817345042905846,
            12033979795115467300,
            6684853396956467448,
            230200587485982373,
            11784807803596912686,
            2644198497329358837,
            6160851613029166082,
            9178119926223560547,
        ]
    );
}

#[test]
fn orders_and_samples() {
    assert_eq!(stream("permutation").permutation(12), [11, 7, 1, 3, 0, 5, 10, 2, 8, 4, 6, 9]);
    let mut letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
    stream("permutation").shuffle(&mut letters);
    assert_eq!(String::from_iter(letters), "lhbdafkciegj");

    let mut stream = stream("sample");
    assert_eq!(stream.sample(20, 7), [0, 1, 2, 3, 4, 10, 19]);
    assert_eq!(stream.sample(1_000_000, 6), [72832, 150586, 681881, 891188, 929541, 996631]);
    assert_eq!(stream.sample(5, 5), [0, 1, 2, 3, 4]);
    assert_eq!(stream.sample(5, 0), Vec::<usize>::new());
}

#[test]
fn normals() {
    let mut stream = stream("normal");
    check(stream.normal(), -2.4424905019755117, 0xc003_8a38_75d6_341d);
    check(stream.normal(), -1.4982788633047641, 0xbff7_f8f3_41e2_e98a);
    check(stream.normal(), 0.9751885080146337, 0x3fef_34be_87ab_73cd);
    check(stream.normal(), 0.5799987731088119, 0x3fe2_8f59_9647_1e7c);
    check(stream.normal(), 0.029590131744039825, 0x3f9e_4ce0_207f_fb69);
}

#[test]
fn gammas() {
    let mut stream = stream("gamma");
    check(stream.gamma(1.0), 2.4816940290637195, 0x4003_da82_662c_0ea2);
    check(stream.gamma(2.5), 1.140775150553862, 0x3ff2_409d_71bb_7e36);
    check(stream.gamma(1000.0), 1043.6613858728804, 0x4090_4ea5_4256_983b);
    check(stream.gamma(1e12), 999997586113.8706, 0x426d_1a90_0758_3bdc);
    check(stream.gamma_ln(0.5), -3.2449285313420915, 0xc009_f59d_16ff_c5d3);
    check(stream.gamma_ln(0.001), -293.51572274916043, 0xc072_5840_667f_5728);
    check(stream.gamma_ln(1e-300), -2.7434616778099776e300, 0xfe50_62ea_4294_048c);
    check(stream.gamma_ln(3.0), 0.9885283222612703, 0x3fef_a206_25e9_055d);
}

#[test]
fn dirichlet_shares() {
    let mut stream = stream("dirichlet");
    let shares = stream.dirichlet(0.5, 4);
    check(shares[0], 0.8025642199386908, 0x3fe9_ae9b_28b2_7219);
    check(shares[1], 0.12436663324808764, 0x3fbf_d67d_de83_a02a);
    check(shares[2], 0.000834350774773494, 0x3f4b_570a_a540_f18a);
    check(shares[3], 0.07223479603844815, 0x3fb2_7dfa_c69e_4d2e);
    let shares = stream.dirichlet(0.001, 3);
    check(shares[0], 2.5527260025133424e-212, 0x1401_2ffb_ea8d_e055);
    check(shares[1], 6.070112667715524e-05, 0x3f0f_d32a_d4ce_1a52);
    check(shares[2], 0.9999392988733229, 0x3fef_ff80_b354_acc8);
    assert_eq!(stream.dirichlet(1e-300, 3), [1.0, 0.0, 0.0]);
}
