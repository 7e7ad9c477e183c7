globalThis.SwaggerUIBundle({
  url: "docs/json",
  dom_id: "#explorer",
  deepLinking: true,
  showExtensions: true,
});
