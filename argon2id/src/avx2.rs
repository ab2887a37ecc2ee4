//! The implementation for x86-64.
//!
//! Memory safety: this package forbids `unsafe`. The compiler accepts AVX2 instructions only in functions with this target
//! feature, and `fearless_simd` enters them with a token that exists only if the processor has AVX2. No instruction here
//! has a pointer as its argument: vectors are copied from and to slices, with checked bounds.
//!
//! Each step of the permutation handles four rows or four columns. One of them is not enough: each of its steps depends on
//! the previous one, so the processor would wait.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_mul_epu32, _mm256_permute4x64_epi64, _mm256_setr_epi64x,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64, _mm256_xor_si256,
};
use std::iter::successors;

use argon2::{Block, Params};
use blake2::{Blake2b256, Blake2b512, Digest};
use fearless_simd::{Avx2, Level, SimdFrom as _, SimdInto as _, kernel, u64x4};

/// The length of a tag in bytes.
const TAG_BYTES: usize = 32;
/// The same, as it is hashed.
const TAG_LENGTH: u32 = 32;
/// The slices of a pass.
const SLICES: u64 = 4;
/// The words of a block.
const WORDS: usize = Block::SIZE / size_of::<u64>();

/// A block in vectors: 8 rows of 16 words.
type Matrix = [Row; 8];
type Row = [Pair; 2];
type Pair = [__m256i; 2];
/// The vectors of four rows at one place, or those of four columns.
type Four = [__m256i; 4];

/// argon2id with AVX2.
#[derive(Clone, Copy, Debug)]
pub struct FastArgon2id(Avx2);

impl FastArgon2id {
    /// Returns the implementation if the processor has the instructions of x86-64-v3 (AVX2 and older ones), and the
    /// self-test passes.
    pub fn detect() -> Option<Self> {
        /// The tag of `argon2`.
        const EXPECTED: [u8; TAG_BYTES] = [
            22, 161, 164, 152, 115, 70, 9, 221, 1, 69, 109, 164, 6, 222, 159, 61, 157, 169, 62, 108, 134, 195, 0, 161,
            47, 193, 70, 82, 20, 206, 73, 34,
        ];
        let core = Self(Level::new().as_avx2()?);
        let params = Params::new(64, 2, 1, Some(TAG_BYTES)).ok()?;
        let tag = core.tag(&params, [b"password", b"somesalt"], &mut vec![Block::new(); 64])?;
        (tag == EXPECTED).then_some(core)
    }

    /// Returns the tag of a password and a salt. `None` if the parameters have more than one lane, another length of the
    /// tag or associated data, or if the memory has fewer than [`Params::block_count`] blocks.
    pub fn tag(self, params: &Params, [password, salt]: [&[u8]; 2], memory: &mut [Block]) -> Option<[u8; TAG_BYTES]> {
        if params.p_cost() != 1 || params.output_len() != Some(TAG_BYTES) || !params.data().is_empty() {
            return None;
        }
        let memory = memory.get_mut(..params.block_count())?;
        let seed = seed(params, [password, salt])?;
        for (index, block) in (0..2).zip(&mut *memory) {
            write_first(block.as_mut(), index, &seed)?;
        }
        fill(self.0, memory, params.t_cost())?;
        let hash = Blake2b256::new().chain_update(TAG_LENGTH.to_le_bytes());
        let last = memory.last()?.as_ref().iter();
        Some(last.fold(hash, |hash, word| hash.chain_update(word.to_le_bytes())).finalize().into())
    }
}

/// Returns H0 without a secret and associated data (RFC 9106 section 3.2).
fn seed(params: &Params, texts: [&[u8]; 2]) -> Option<[u8; 64]> {
    const VERSION: u32 = 0x13;
    const ARGON2ID: u32 = 2;
    let numbers = [params.p_cost(), TAG_LENGTH, params.m_cost(), params.t_cost(), VERSION, ARGON2ID];
    let mut hash = numbers.iter().fold(Blake2b512::new(), |hash, number| hash.chain_update(number.to_le_bytes()));
    for text in [texts[0], texts[1], &[], &[]] {
        hash.update(length(text)?);
        hash.update(text);
    }
    Some(hash.finalize().into())
}

fn length(bytes: &[u8]) -> Option<[u8; 4]> {
    Some(u32::try_from(bytes.len()).ok()?.to_le_bytes())
}

/// Writes block 0 or 1: the hash H' of 1,024 bytes (RFC 9106 section 3.3). It has the first half of each of 31 hashes, each
/// over the previous one, and the second half of the last.
fn write_first(block: &mut [u64], index: u32, seed: &[u8; 64]) -> Option<()> {
    let input = Blake2b512::new().chain_update(1024_u32.to_le_bytes()).chain_update(seed);
    let first = input.chain_update(index.to_le_bytes()).chain_update([0; 4]).finalize();
    let hashes = successors(Some(first), |hash| Some(Blake2b512::digest(hash)));
    for (begin, hash) in (0..).step_by(4).zip(hashes.take(31)) {
        // The next hash overwrites the second half.
        let words = block.get_mut(begin..begin + 8)?;
        for (word, bytes) in words.iter_mut().zip(hash.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    }
    Some(())
}

kernel! {
    /// Fills the memory, whose first two blocks are complete. `None` cannot occur: the memory has at least 8 blocks.
    fn fill(avx2: Avx2, memory: &mut [Block], passes: u32) -> Option<()> {
        let blocks = memory.len() as u64;
        let place = |number: u64| usize::try_from(number % blocks).ok();
        let mut addresses = Addresses { blocks, passes: u64::from(passes), words: [0; WORDS] };
        let mut random = addresses.word(avx2, 2)?;
        let mut matrix = zero();
        xor_block(avx2, &mut matrix, memory.get(1)?.as_ref());
        for number in 2..blocks * u64::from(passes) {
            let reference = memory.get(place(reference(number, blocks, random))?)?;
            xor_block(avx2, &mut matrix, reference.as_ref());
            compress(&mut matrix);
            let block = memory.get_mut(place(number)?)?.as_mut();
            if number >= blocks {
                xor_block(avx2, &mut matrix, block);
            }
            write(avx2, block, &matrix);
            random = addresses.word(avx2, number + 1).or_else(|| block.first().copied())?;
        }
        Some(())
    }
}

/// Returns the number of the reference of a block (RFC 9106 section 3.4.1.2), from 0 in the first pass. The numbers of blocks
/// continue in the next pass, where the reference may be a block of the last one.
fn reference(number: u64, blocks: u64, random: u64) -> u64 {
    let slice_length = blocks / SLICES;
    // The complete blocks without the previous one: those of this pass, or in later passes all that are not in this slice or
    // before this block.
    let count = if number < blocks { number - 1 } else { blocks - slice_length + number % slice_length - 1 };
    let distance = (count * ((random & 0xffff_ffff).pow(2) >> 32)) >> 32;
    number - 2 - distance
}

/// The random words of the blocks whose references do not depend on the password (RFC 9106 section 3.4.1.1).
struct Addresses {
    blocks: u64,
    passes: u64,
    /// The words of the group of blocks in which the last block was.
    words: [u64; WORDS],
}

impl Addresses {
    /// Returns the word of a block. The blocks must follow each other. `None` if its reference depends on the password.
    #[target_feature(enable = "avx2")]
    fn word(&mut self, avx2: Avx2, number: u64) -> Option<u64> {
        const ARGON2ID: u64 = 2;
        let slice_length = self.blocks / SLICES;
        if number >= 2 * slice_length {
            return None;
        }
        let (slice, index) = (number / slice_length, number % slice_length);
        let (group, index) = (index / 128, usize::try_from(index % 128).ok()?);
        if index == 0 || number == 2 {
            let mut words = [0; WORDS];
            words[..7].copy_from_slice(&[0, 0, slice, self.blocks, self.passes, ARGON2ID, group + 1]);
            let mut matrix = zero();
            xor_block(avx2, &mut matrix, &words);
            compress(&mut matrix);
            compress(&mut matrix);
            write(avx2, &mut self.words, &matrix);
        }
        self.words.get(index).copied()
    }
}

/// Applies the compression function G to a block that is the XOR of its two arguments (RFC 9106 section 3.5).
#[target_feature(enable = "avx2")]
#[inline]
fn compress(matrix: &mut Matrix) {
    let input = *matrix;
    permute_rows(matrix);
    permute_columns(matrix.each_mut().map(|[left, _]| left));
    permute_columns(matrix.each_mut().map(|[_, right]| right));
    for (vector, input) in vectors_mut(matrix).zip(vectors(&input)) {
        *vector = _mm256_xor_si256(*vector, *input);
    }
}

/// Permutes each row (RFC 9106 section 3.6).
#[target_feature(enable = "avx2")]
#[inline]
fn permute_rows(matrix: &mut Matrix) {
    let left = |vector| _mm256_permute4x64_epi64::<0b00_11_10_01>(vector);
    let half = |vector| _mm256_permute4x64_epi64::<0b01_00_11_10>(vector);
    let right = |vector| _mm256_permute4x64_epi64::<0b10_01_00_11>(vector);
    for rows in matrix.as_chunks_mut().0 {
        let [[[a0, b0], [c0, d0]], [[a1, b1], [c1, d1]], [[a2, b2], [c2, d2]], [[a3, b3], [c3, d3]]] = *rows;
        let [a, b, c, d] = mix([[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]]);
        let [a, b, c, d] = mix([a, each(b, left), each(c, half), each(d, right)]);
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a, each(b, right));
        let ([c0, c1, c2, c3], [d0, d1, d2, d3]) = (each(c, half), each(d, left));
        *rows = [[[a0, b0], [c0, d0]], [[a1, b1], [c1, d1]], [[a2, b2], [c2, d2]], [[a3, b3], [c3, d3]]];
    }
}

/// Permutes four columns. A column has two words in each row: its words 0 and 1 are in one vector, 2 and 3 in the same
/// vector of the next row, and so on.
#[target_feature(enable = "avx2")]
#[inline]
fn permute_columns(rows: [&mut Pair; 8]) {
    let next = |this, following| _mm256_alignr_epi8::<8>(following, this);
    let left = |[p, q, r, s]: Four| [next(p, r), next(q, s), next(r, p), next(s, q)];
    let half = |[p, q, r, s]: Four| [r, s, p, q];
    let right = |vectors: Four| half(left(vectors));
    let join = |[p, q]: Pair, [r, s]: Pair| [p, q, r, s];
    let split = |[p, q, r, s]: Four| [[p, q], [r, s]];

    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let [a, b, c, d] = mix([join(*r0, *r1), join(*r2, *r3), join(*r4, *r5), join(*r6, *r7)]);
    let [a, b, c, d] = mix([a, left(b), half(c), right(d)]);
    [*r0, *r1] = split(a);
    [*r2, *r3] = split(right(b));
    [*r4, *r5] = split(half(c));
    [*r6, *r7] = split(left(d));
}

/// Applies GB (RFC 9106 section 3.6) to the 16 words of each of the four.
#[target_feature(enable = "avx2")]
#[inline]
fn mix([a, b, c, d]: [Four; 4]) -> [Four; 4] {
    const BYTES_24: [i64; 2] = [0x0201_0007_0605_0403, 0x0a09_080f_0e0d_0c0b];
    const BYTES_16: [i64; 2] = [0x0100_0706_0504_0302, 0x0908_0f0e_0d0c_0b0a];
    // The two words of half a vector after the rotation: each byte is the index of a byte.
    let bytes_24 = _mm256_setr_epi64x(BYTES_24[0], BYTES_24[1], BYTES_24[0], BYTES_24[1]);
    let bytes_16 = _mm256_setr_epi64x(BYTES_16[0], BYTES_16[1], BYTES_16[0], BYTES_16[1]);
    let rotate_32 = |vector| _mm256_shuffle_epi32::<0b10_11_00_01>(vector);
    let rotate_24 = |vector| _mm256_shuffle_epi8(vector, bytes_24);
    let rotate_16 = |vector| _mm256_shuffle_epi8(vector, bytes_16);
    let rotate_63 = |vector| _mm256_xor_si256(_mm256_srli_epi64::<63>(vector), _mm256_add_epi64(vector, vector));

    let a = add(a, b);
    let d = each(xor(d, a), rotate_32);
    let c = add(c, d);
    let b = each(xor(b, c), rotate_24);
    let a = add(a, b);
    let d = each(xor(d, a), rotate_16);
    let c = add(c, d);
    let b = each(xor(b, c), rotate_63);
    [a, b, c, d]
}

/// Returns x + y + 2 * low(x) * low(y) for each word, where low is the lower half.
#[target_feature(enable = "avx2")]
#[inline]
fn add([x0, x1, x2, x3]: Four, [y0, y1, y2, y3]: Four) -> Four {
    let add = |x, y| {
        let product = _mm256_mul_epu32(x, y);
        _mm256_add_epi64(_mm256_add_epi64(x, y), _mm256_add_epi64(product, product))
    };
    [add(x0, y0), add(x1, y1), add(x2, y2), add(x3, y3)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn each([p, q, r, s]: Four, change: impl Fn(__m256i) -> __m256i) -> Four {
    [change(p), change(q), change(r), change(s)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor([x0, x1, x2, x3]: Four, [y0, y1, y2, y3]: Four) -> Four {
    let xor = |x, y| _mm256_xor_si256(x, y);
    [xor(x0, y0), xor(x1, y1), xor(x2, y2), xor(x3, y3)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn zero() -> Matrix {
    [[[_mm256_setzero_si256(); 2]; 2]; 8]
}

/// Changes the matrix to its XOR with a block.
#[target_feature(enable = "avx2")]
#[inline]
fn xor_block(avx2: Avx2, matrix: &mut Matrix, words: &[u64]) {
    for (vector, words) in vectors_mut(matrix).zip(words.as_chunks().0) {
        *vector = _mm256_xor_si256(*vector, u64x4::simd_from(avx2, *words).into());
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn write(avx2: Avx2, words: &mut [u64], matrix: &Matrix) {
    for (words, vector) in words.as_chunks_mut().0.iter_mut().zip(vectors(matrix)) {
        let vector: u64x4<Avx2> = (*vector).simd_into(avx2);
        *words = vector.into();
    }
}

#[inline]
fn vectors(matrix: &Matrix) -> impl Iterator<Item = &__m256i> {
    matrix.as_flattened().as_flattened().iter()
}

#[inline]
fn vectors_mut(matrix: &mut Matrix) -> impl Iterator<Item = &mut __m256i> {
    matrix.as_flattened_mut().as_flattened_mut().iter_mut()
}
