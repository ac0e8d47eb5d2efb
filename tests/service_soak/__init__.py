"""`make service-soak`: many shoppers at the service over HTTP, while replicas and the database come and go."""
