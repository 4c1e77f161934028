/**
 * The cursor of an entry of a page. It is sealed when it is first read: most operations select no cursors, and sealing the 100
 * cursors of a page takes some 2 ms.
 */
export class PageCursor {
  readonly #seal: () => string
  #text: string | undefined

  constructor(seal: () => string) {
    this.#seal = seal
  }

  /** The same text at each reading, although each seal has another nonce. */
  get text(): string {
    return (this.#text ??= this.#seal())
  }
}
