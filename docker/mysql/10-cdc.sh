# shellcheck shell=bash
# Run once by the mysql image on an empty data folder: the account that Pillion reads the binlog with.
# The password comes from a secret file and goes to the server on stdin.
password=$(</run/secrets/mysql_cdc)
# docker_process_sql is a function of the image's entry point, which sources this file as long as it is not executable
docker_process_sql <<SQL
CREATE USER 'cdc'@'%' IDENTIFIED BY '$password';
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'cdc'@'%';
SQL
