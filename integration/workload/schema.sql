-- The ride-hailing model: users of type client and driver, rides that refer to both. No foreign keys: the sessions of the
-- workload commit some rides before their users, as services with databases of their own do.
CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4;
CREATE TABLE IF NOT EXISTS shop.users (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  type ENUM('client','driver') NOT NULL,
  name VARCHAR(100) NOT NULL,
  phone VARCHAR(20) NULL,
  rating DECIMAL(3,2) NULL,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  updated_at DATETIME(3) NULL
);
CREATE TABLE IF NOT EXISTS shop.rides (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  client_id BIGINT UNSIGNED NOT NULL,
  driver_id BIGINT UNSIGNED NULL,
  status ENUM('requested','accepted','started','finished','cancelled') NOT NULL,
  pickup VARCHAR(120) NOT NULL,
  dropoff VARCHAR(120) NULL,
  distance_km DECIMAL(8,3) NULL,
  fare DECIMAL(10,2) NULL,
  currency CHAR(3) NOT NULL DEFAULT 'EUR',
  requested_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  finished_at DATETIME NULL,
  details JSON NULL
);
-- Which users ever existed: M4 with `known: ever` asks for it. The workload writes it in the same transaction; it is not captured.
CREATE TABLE IF NOT EXISTS shop.users_ever (id BIGINT UNSIGNED NOT NULL PRIMARY KEY);
