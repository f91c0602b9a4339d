//! Splits that stay: which part a row is in follows from the seed and the row alone, so that rows which come later do
//! not move those that are there. Rows of one cluster are always in one part.

use hanok_base::Sample;
use hanok_store::datasets::content_hash;

/// Parts and their shares, which sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts(Vec<(String, f64)>);

impl Parts {
    /// From `train=0.8,test=0.2`; an error in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (name, share) =
                part.split_once('=').ok_or_else(|| format!("`{part}` is not a part, such as test=0.2"))?;
            let share: f64 =
                share.trim().parse().map_err(|_| format!("`{share}` is not a share from 0 to 1"))?;
            if !(0.0..=1.0).contains(&share) || name.trim().is_empty() {
                return Err(format!("`{part}` is not a part, such as test=0.2"));
            }
            parts.push((name.trim().to_owned(), share));
        }
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(format!("the shares sum to {sum}, not to 1"));
        }
        Ok(Self(parts))
    }

    /// The part of a row.
    pub fn of(&self, sample: &Sample, seed: u64) -> &str {
        let key = sample.cluster.as_ref().unwrap_or(&sample.id);
        let mut bytes = seed.to_le_bytes().to_vec();
        bytes.extend_from_slice(key.as_bytes());
        // 48 bits are a fraction exactly.
        let number = content_hash(&bytes).first_chunk().map_or(0, |first| u64::from_be_bytes(*first) >> 16);
        #[expect(clippy::cast_precision_loss, reason = "48 bits fit")]
        let place = number as f64 / (1_u64 << 48) as f64;
        let mut upto = 0.0;
        for (name, share) in &self.0 {
            upto += share;
            if place < upto {
                return name;
            }
        }
        // Shares that sum to a little less than 1.
        self.0.last().map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(id: usize, cluster: Option<usize>) -> Sample {
        Sample { id: id.to_string(), cluster: cluster.map(|c| c.to_string()), ..Sample::default() }
    }

    #[test]
    fn shares_are_kept_and_clusters_stay_together() {
        let parts = Parts::read("train=0.8,test=0.2").unwrap();
        let test = (0..10_000).filter(|id| parts.of(&sample(*id, None), 1) == "test").count();
        assert!((1850..2150).contains(&test), "{test}");
        let of_cluster = |id| parts.of(&sample(id, Some(7)), 1).to_owned();
        assert!((0..50).all(|id| of_cluster(id) == of_cluster(0)));
        let moved =
            (0..1000).filter(|id| parts.of(&sample(*id, None), 1) != parts.of(&sample(*id, None), 2)).count();
        assert!((200..450).contains(&moved), "another seed is another split: {moved}");
    }

    #[test]
    fn parts_are_checked() {
        let check = |text: &str, part: &str| {
            let error = Parts::read(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check("train", "not a part");
        check("a=x", "not a share");
        check("a=0.5,b=0.4", "sum to 0.9");
        check("a=2", "not a part");
    }
}
