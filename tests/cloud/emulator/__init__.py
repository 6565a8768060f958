"""AWS on loopback, for the tests of the cloud path: `cloud.Cloud` is the front."""
