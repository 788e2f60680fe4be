//! Feeds as a user names them: what is read prints back to what reads the same.
#![no_main]

use ijk_data::FeedSpec;

ijk_fuzz::target!(|data| {
    let text = String::from_utf8_lossy(data);
    match text.parse::<FeedSpec>() {
        Ok(spec) => {
            assert_eq!(spec.to_string().parse(), Ok(spec));
            1
        }
        Err(e) => {
            assert!(!e.reason.is_empty());
            0
        }
    }
});
