"""What is deployed, and how: the functions' zips, the image's context, deploy.sh."""
