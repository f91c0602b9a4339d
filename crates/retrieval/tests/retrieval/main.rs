//! Documents in, answers out, over a real store and index.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod following;
#[cfg(test)]
mod house;
#[cfg(test)]
mod lying;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod measures;
#[cfg(test)]
mod models;
#[cfg(test)]
mod questioning;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod setting;
#[cfg(test)]
mod syncing;
#[cfg(test)]
mod tuning;
#[cfg(test)]
mod vectors;
