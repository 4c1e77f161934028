/** A count with its noun, for people: `1 patient`, `2,000 patients`. @param many the plural, if it is not the noun with an s */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`
