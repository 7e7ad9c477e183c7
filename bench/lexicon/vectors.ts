/** A row of a matrix that is mostly zeros. */
export interface SparseRow {
  columns: Int32Array;
  values: Float32Array;
}

/** Multiplies a sparse matrix by a dense one with `width` columns. */
export function multiply(
  rows: readonly SparseRow[],
  dense: Float32Array,
  width: number,
): Float32Array<ArrayBuffer> {
  const product = new Float32Array(rows.length * width);
  for (const [row, { columns, values }] of rows.entries()) {
    for (let at = 0; at < columns.length; at++) {
      const from = (columns[at] as number) * width;
      const value = values[at] as number;
      for (let part = 0; part < width; part++) {
        product[row * width + part]! += value * (dense[from + part] as number);
      }
    }
  }
  return product;
}

/** Multiplies the transpose of a sparse matrix of so many columns by a dense one. */
export function multiplyBack(
  rows: readonly SparseRow[],
  dense: Float32Array,
  columnCount: number,
  width: number,
): Float32Array<ArrayBuffer> {
  const product = new Float32Array(columnCount * width);
  for (const [row, { columns, values }] of rows.entries()) {
    for (let at = 0; at < columns.length; at++) {
      const into = (columns[at] as number) * width;
      const value = values[at] as number;
      for (let part = 0; part < width; part++) {
        product[into + part]! += value * (dense[row * width + part] as number);
      }
    }
  }
  return product;
}

/** Makes a matrix's columns stand at right angles and have length 1 (Gram and Schmidt). */
export function orthogonalise(matrix: Float32Array, width: number): void {
  const product = (one: number, other: number): number => {
    let sum = 0;
    for (let at = 0; at < matrix.length; at += width) {
      sum += (matrix[at + one] as number) * (matrix[at + other] as number);
    }
    return sum;
  };
  for (let column = 0; column < width; column++) {
    for (let before = 0; before < column; before++) {
      const share = product(column, before);
      for (let at = 0; at < matrix.length; at += width) {
        matrix[at + column]! -= share * (matrix[at + before] as number);
      }
    }
    const length = Math.sqrt(product(column, column)) || 1;
    for (let at = column; at < matrix.length; at += width) matrix[at]! /= length;
  }
}

/** Gives every row length 1. */
export function unitRows(matrix: Float32Array, width: number): void {
  for (let from = 0; from < matrix.length; from += width) {
    const row = matrix.subarray(from, from + width);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0)) || 1;
    for (let at = 0; at < width; at++) row[at]! /= length;
  }
}
