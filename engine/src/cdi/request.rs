//! Requests for processors by number or name, as docker and Compose have them, read as names of devices. *Pure.*

/// What vendors are called in requests, and in names of devices.
const VENDORS: [(&str, &str); 3] = [("", "nvidia.com"), ("nvidia", "nvidia.com"), ("amd", "amd.com")];

/// Some of the host's processors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceRequest {
    /// `nvidia`, `amd`, or `cdi` for devices by their whole names; empty = `nvidia`.
    pub driver: String,
    /// How many, the first ones; without, those of `ids`, or all if these are none.
    pub count: Option<u16>,
    /// Which ones.
    pub ids: Vec<String>,
}

/// Why a request stands for no devices.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceRequestError {
    /// Nobody makes such devices.
    #[error("driver `{0}` is not supported: use nvidia, amd or cdi")]
    Driver(String),
    /// Whole names are none.
    #[error("driver `cdi` takes names of devices, as nvidia.com/gpu=0, not `{0}`")]
    Name(String),
}

impl DeviceRequest {
    /// Returns the names of the devices.
    ///
    /// # Errors
    /// [`DeviceRequestError`] names what is not known.
    pub fn names(&self) -> Result<Vec<String>, DeviceRequestError> {
        if self.driver == "cdi" {
            return match self.ids.iter().find(|id| !super::is_name(id)) {
                None if !self.ids.is_empty() => Ok(self.ids.clone()),
                wrong => Err(DeviceRequestError::Name(wrong.cloned().unwrap_or_default())),
            };
        }
        let vendor = VENDORS.iter().find(|(driver, _)| *driver == self.driver);
        let (_, vendor) = vendor.ok_or_else(|| DeviceRequestError::Driver(self.driver.clone()))?;
        let which = match self.count {
            Some(count) => (0..count).map(|number| number.to_string()).collect(),
            None if self.ids.is_empty() => vec!["all".to_owned()],
            None => self.ids.clone(),
        };
        Ok(which.iter().map(|one| format!("{vendor}/gpu={one}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(driver: &str, count: Option<u16>, ids: &[&str]) -> Result<Vec<String>, DeviceRequestError> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        DeviceRequest { driver: driver.to_owned(), count, ids }.names()
    }

    #[test]
    fn numbers_and_names_are_names_of_devices() {
        assert_eq!(names("", None, &[]).unwrap(), ["nvidia.com/gpu=all"]);
        assert_eq!(names("nvidia", Some(2), &[]).unwrap(), ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]);
        assert_eq!(names("amd", None, &["1"]).unwrap(), ["amd.com/gpu=1"]);
        assert_eq!(names("cdi", None, &["a.com/tpu=x"]).unwrap(), ["a.com/tpu=x"]);
        assert!(names("cdi", None, &["0"]).is_err() && names("cdi", None, &[]).is_err());
        assert!(names("intel", None, &[]).is_err());
    }
}
