//! Files of tensors that nobody should trust.

use crate::{tensor, values};
use tensors::*;

/// A file of this header and so many bytes of numbers.
fn file(header: &str, bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(vec![0; bytes]);
    file
}

fn refused(data: &[u8]) -> String {
    from_safetensors(data).unwrap_err().to_string()
}

#[test]
fn what_lies_about_itself_is_refused() {
    let part = |name: &str, dtype: &str, shape: &str, from: usize, to: usize| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let one = |dtype: &str, shape: &str, to: usize, bytes: usize| {
        file(&format!("{{{}}}", part("x", dtype, shape, 0, to)), bytes)
    };
    assert!(from_safetensors(&one("F32", "[2]", 8, 8)).is_ok());
    let overlap = file(&format!("{{{},{}}}", part("x", "F32", "[2]", 0, 8), part("y", "F32", "[2]", 4, 12)), 12);
    let hole = file(&format!("{{{},{}}}", part("x", "F32", "[1]", 0, 4), part("y", "F32", "[1]", 8, 12)), 12);
    for (what, data) in [
        ("nothing", vec![]),
        ("half a length", vec![1, 2, 3]),
        ("a header beyond the end", [&1000u64.to_le_bytes()[..], b"{}"].concat()),
        ("a header that is no JSON", file("{]", 0)),
        ("a length that is not its shape's", one("F32", "[3]", 8, 8)),
        ("an end beyond the file", one("F32", "[4]", 16, 8)),
        ("bytes that nobody owns", one("F32", "[2]", 8, 9)),
        ("a shape that overflows", one("F32", "[4294967296,4294967296,4294967296]", 8, 8)),
        ("parts that overlap", overlap),
        ("a hole", hole),
        ("no such type", one("F33", "[2]", 8, 8)),
    ] {
        let text = refused(&data);
        assert!(text.starts_with("`data` is no safetensors file: "), "{what}: {text}");
    }
    assert_eq!(refused(&one("I8", "[2]", 2, 2)), "`x` is I8, expected F32, F64, I64, F16 or BF16");
    assert_eq!(refused(&one("F32", "[0,4294967296]", 0, 0)), "`x` has shape [0, 4294967296], which is too long");
    assert_eq!(refused(&one("F32", "[1,1,1,1,1,1,1,1,1]", 4, 4)), "`shape` has 9 dimensions, at most 8 are allowed");
    let long = [&(1u64 << 40).to_le_bytes()[..], &[b' '; 16]].concat();
    assert_eq!(refused(&long), "`data` has a header of more than 1048576 bytes");
}

/// The bytes of one tensor called `w` of this type and shape.
fn holding(dtype: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let end = numbers.len();
    let mut file = file(&format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#), 0);
    file.extend(numbers);
    file
}

#[test]
fn the_first_number_that_is_not_finite_is_named() {
    let found = |file: &[u8]| finiteness(&mut &file[..]).unwrap();
    let half = [0x00_u8, 0x3c, 0x00, 0xfc];
    let brain = [0x80_u8, 0x3f, 0xc0, 0x7f];
    let large = [f64::MAX, f64::MIN, f64::NEG_INFINITY, f64::NAN].map(f64::to_le_bytes).concat();
    for (dtype, shape, numbers, place, value, bad) in [
        ("F16", "[2]", &half[..], "`w`[1]", "-inf", 1),
        ("BF16", "[1,2]", &brain, "`w`[0, 1]", "NaN", 1),
        ("F32", "[]", &f32::INFINITY.to_le_bytes(), "`w`[]", "inf", 1),
        ("F64", "[2,1,2]", &large, "`w`[1, 0, 0]", "-inf", 2),
    ] {
        let Finiteness { tensors, bad: got, first, .. } = found(&holding(dtype, shape, numbers)).unwrap();
        let first = first.unwrap_or_else(|| panic!("{dtype}: nothing found"));
        assert_eq!((tensors, got, first.place.as_str(), first.value.as_str()), (1, bad, place, value), "{dtype}");
    }
    // What lies beyond the first piece is found too.
    let mut many = vec![0.5_f32; 40_000];
    many[39_999] = f32::NAN;
    let bytes: Vec<u8> = many.iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(found(&holding("F32", "[400,100]", &bytes)).unwrap().first.unwrap().place, "`w`[399, 99]");
    let whole = found(&holding("I64", "[1]", &[0xff; 8])).unwrap();
    assert_eq!((whole.tensors, whole.numbers, whole.bad), (1, 0, 0));
    for other in [&b""[..], b"weights", &holding("F32", "[2]", &[0; 8])[..60], &[0xff; 32]] {
        assert_eq!(found(other), None);
    }
}

/// As trees are kept, a node being a leaf or a split.
#[test]
fn the_first_number_of_a_json_file_that_is_not_finite_is_named() {
    let found = |file: &str| finiteness(&mut file.as_bytes()).unwrap();
    for (file, written, bad, first) in [
        ("[[{\"leaf\":0.5},{\"leaf\":1e999}],[{\"leaf\":NaN}]]", 3, 2, Some(("`[0][1].leaf`", "1e999"))),
        ("{\"trees\": [1, {\"at\\\"most\": -Infinity}]}", 2, 1, Some(("`trees[1].at\"most`", "-Infinity"))),
        ("{\"a\":\"NaN, [1e999\",\"b\":[null,true,-1.5e-7],\n\"c\":{}}\n", 1, 0, None),
        ("[]", 0, 0, None),
    ] {
        let got = found(file).unwrap_or_else(|| panic!("no JSON: {file}"));
        let named = got.first.as_ref().map(|first| (first.place.as_str(), first.value.as_str()));
        assert_eq!((got.tensors, got.written, got.bad, named), (0, written, bad, first), "{file}");
    }
    // Over the edges of pieces.
    let many = format!("[{}NaN]", "0.125, ".repeat(30_000));
    assert_eq!(found(&many).unwrap().first.unwrap().place, "`[30000]`");
    for other in ["1e999", "\"NaN\"", "[1", "[1}", "[1]]", "[one]", "{\"a\" 1}x", &"[".repeat(129), "tree=1\n"] {
        assert_eq!(found(other), None, "{other}");
    }
}

#[test]
fn what_is_written_is_read() {
    let (x, view) = (tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), tensor(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
    let view = view.transpose(0, 1).unwrap();
    let none = crate::vacant(&[0, 3]);
    let written = to_safetensors(&[("z".to_owned(), &view), ("a".to_owned(), &x), ("none".to_owned(), &none)]).unwrap();
    let read = from_safetensors(&written).unwrap();
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "none", "z"]);
    assert_eq!(values(&read[2].1), [1.0, 3.0, 2.0, 4.0]);
    assert_eq!(read[1].1.shape(), [0, 3]);
    let twice = to_safetensors(&[("x".to_owned(), &x), ("x".to_owned(), &x)]).unwrap_err();
    assert_eq!(twice.to_string(), "`x` is the name of two tensors");
    let big = Tensor::full(&[(TO_BYTES_MAX / 8) as u32 + 1], ElementType::Float64, 0.0).unwrap();
    assert!(to_safetensors(&[("x".to_owned(), &big)]).is_err());
    // bfloat16: the upper half of a float32.
    let mut half = file(r#"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, 0);
    half.extend([0x80, 0x3f, 0x20, 0xc0]);
    assert_eq!(values(&from_safetensors(&half).unwrap()[0].1), [1.0, -2.5]);
}
