/** One file or folder in an archive. Its body has to be read before the next entry is asked for. */
export interface ArchiveEntry {
  /** As it stands in the archive: not to be trusted. */
  name: string;
  kind: "file" | "folder";
  /** What the archive says; the body may turn out shorter only by an error. */
  bytes: number;
  body: AsyncIterable<Uint8Array>;
}
