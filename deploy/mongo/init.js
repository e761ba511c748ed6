// The products service's own user, of its own database only. The image runs it on an empty volume.
db.getSiblingDB("products").createUser({
  user: "products",
  pwd: process.env.PRODUCTS_DATABASE_PASSWORD,
  roles: [{ role: "readWrite", db: "products" }],
});
