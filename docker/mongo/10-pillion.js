// Run once by the mongo image on an empty data folder: the account that Pillion writes silver documents with.
const password = require('fs').readFileSync('/run/secrets/mongo_pillion', 'utf8').trim();
db.getSiblingDB('admin').createUser({
  user: 'pillion', pwd: password,
  roles: [{role: 'readWrite', db: 'pillion'}, {role: 'dbAdmin', db: 'pillion'}],
});
