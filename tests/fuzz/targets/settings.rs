//! A settings file. What is read is written back and read again as the same.
#![no_main]

#[allow(dead_code)]
#[path = "../../../tools/ijk/src/exit.rs"]
mod exit;
// The command is no library: its modules are read here as they are.
#[allow(dead_code)]
#[path = "../../../tools/ijk/src/settings.rs"]
mod settings;

use settings::Profile;

const NAME: &str = "f.toml";

fn check(text: &str, profile: Profile) -> usize {
    match settings::parse(NAME, text, profile) {
        Ok(read) => {
            // Compared as text: a number that is not a number is not equal to itself.
            let written = toml::to_string(&read.config).expect("settings can be written");
            let again = settings::parse(NAME, &written, profile).expect("and read again");
            let twice = toml::to_string(&again.config).expect("settings can be written");
            assert_eq!(written, twice);
            let rows = settings::effective(&read);
            assert!(rows.iter().filter(|r| r.2 == "file").count() <= read.from_file.len());
            if let Err(e) = settings::require_real_limits(&read) {
                assert!(e.code == exit::USAGE && profile == Profile::RealVenue, "{e:?}");
            }
            1
        }
        Err(e) => {
            assert!(e.code == exit::USAGE && e.message.starts_with(NAME), "{e:?}");
            0
        }
    }
}

ijk_fuzz::target!(|data| {
    let Ok(text) = std::str::from_utf8(data) else { return 0 };
    let [one, other] = [Profile::Simulation, Profile::RealVenue].map(|p| check(text, p));
    assert_eq!(one, other, "the profile changes defaults, not what can be read");
    one
});
