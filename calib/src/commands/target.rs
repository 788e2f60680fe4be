//! Where a calibration goes: the profile, and beside it table and page of the same name.

use super::Exit;
use ijk_calib::output;
use ijk_calib::profile::Profile;
use ijk_calib::report::Page;
use ijk_calib::table::Table;
use std::path::PathBuf;

/// Output of a calibration
#[derive(clap::Args)]
pub struct Target {
    /// Profile to write (TOML); table and page get the same name with .parquet and .html
    #[arg(long, value_name = "PROFILE.toml")]
    pub out: PathBuf,
    /// Profile to start from: its other sections are kept
    #[arg(long, value_name = "PROFILE.toml")]
    pub base: Option<PathBuf>,
    /// Days after the end of its data for which the profile may be used
    #[arg(long, default_value_t = 30)]
    pub valid_days: u32,
    /// Replaces existing files
    #[arg(long)]
    pub force: bool,
}

impl Target {
    /// Refuses early what could not be written later.
    pub fn check(&self) -> Result<(), Exit> {
        if self.out.extension().is_none_or(|e| e != "toml") {
            let shown = self.out.display();
            return Err(Exit::new(2, format!("{shown}: --out names the TOML profile")));
        }
        for extension in ["toml", "parquet", "html"] {
            output::check(&self.out.with_extension(extension), self.force)?;
        }
        Ok(())
    }

    /// Returns the profile to put a section into.
    pub fn profile(&self) -> Result<Profile, Exit> {
        let mut profile = match &self.base {
            Some(path) => Profile::load(path)?,
            None => Profile::new(String::new(), self.valid_days),
        };
        profile.created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        profile.valid_days = self.valid_days;
        Ok(profile)
    }

    /// Writes profile, table and page; the profile last, so that it never stands alone. Returns
    /// what to say of it.
    pub fn write(&self, profile: &mut Profile, table: &Table, page: Page) -> Result<String, Exit> {
        profile.settings = ijk_calib::settings::of(profile);
        let sealed = profile.seal().map_err(|e| Exit::new(70, e))?;
        let table = table.encode().map_err(|e| Exit::new(70, e))?;
        let at = |extension| self.out.with_extension(extension);
        output::write_whole(&at("parquet"), &table, self.force)?;
        output::write_whole(&at("html"), page.finish().as_bytes(), self.force)?;
        output::write_whole(&self.out, sealed.as_bytes(), self.force)?;
        let names = ["toml", "parquet", "html"].map(|e| at(e).display().to_string());
        Ok(format!("wrote {}\n", names.join(", ")))
    }
}
