/** Whether a text has the words of another one, next to each other. Case and punctuation make no difference. False for a text without words. */
export function includesWords(text: string, part: string): boolean {
  const words = wordsOf(part)
  return words !== '' && ` ${wordsOf(text)} `.includes(` ${words} `)
}

function wordsOf(text: string): string {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .join(' ')
}
