/** UTF-16 code units of a value that is compared. No name and no address is longer. */
export const MAX_COMPARED = 256

/**
 * Returns the words of a text without differences of case, width and diacritics: Unicode NFKC, one case, NFKD without combining
 * marks. Apostrophes within a word go: `O'Neill` is `oneill`. Unlike a search, a comparison shows nothing to a caller,
 * so that `Müller` is `Muller` here.
 *
 * @param words the characters of a word
 */
export function foldedWords(text: string, words = /[\p{L}\p{N}]+/gu): readonly string[] {
  // upper case first, because it has one form of each letter: `ß` becomes `SS`
  const folded = text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKD').replaceAll(/\p{M}/gu, '')
  return (
    folded
      .replaceAll(/['’‘ʼ`´]/g, '')
      .replaceAll('ς', 'σ')
      .match(words) ?? []
  )
}
