/** k-mers by code (2 bits a base, A=0 C=1 G=2 T=3, the first base highest) and by place.
 *
 * In the chaos game representation (Jeffrey 1990) the last base of a k-mer picks the quadrant, the
 * one before it the quadrant in that, and so on: base i decides bit i of the column and of the row.
 *
 *     C | G
 *     --+--
 *     A | T
 */

export interface Cell {
  /** From the left. */
  readonly column: number;
  /** From the top. */
  readonly row: number;
}

export function codeAt({ column, row }: Cell, k: number): number {
  let code = 0;
  for (let i = 0; i < k; i++) {
    const right = (column >> i) & 1;
    const bottom = (row >> i) & 1;
    code = code * 4 + (right ? (bottom ? 3 : 2) : bottom ? 0 : 1);
  }
  return code;
}

export function kmerOf(code: number, k: number): string {
  let kmer = "";
  for (let i = 0; i < k; i++) {
    kmer = "ACGT".charAt(code & 3) + kmer;
    code >>= 2;
  }
  return kmer;
}

export function reverseComplement(code: number, k: number): number {
  let other = 0;
  for (let i = 0; i < k; i++) {
    other = other * 4 + (3 - (code & 3));
    code >>= 2;
  }
  return other;
}
