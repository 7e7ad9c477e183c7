// Files that are embedded with `with { type: "text" | "file" }`; the value is the text or its path.

declare module "*.sql" {
  const text: string;
  export default text;
}

declare module "*.css" {
  const path: string;
  export default path;
}

declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const path: string;
  export default path;
}

declare module "*/docs.page.js" {
  const path: string;
  export default path;
}

declare module "*.zst" {
  const path: string;
  export default path;
}
