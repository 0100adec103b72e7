//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod change_user;
mod create_account;
mod login;
mod logout;
mod refresh;
mod register;
