/**
 * Three-digit ZIP prefixes that hold 20,000 people or fewer, by the Census of 2000. They are shown as `000`.
 *
 * @source 45 CFR 164.514(b)(2)(i)(B); HHS, "Guidance Regarding Methods for De-identification of Protected Health
 * Information", question on ZIP codes
 */
export const RESTRICTED_ZIP3: ReadonlySet<string> = new Set([
  '036',
  '059',
  '063',
  '102',
  '203',
  '556',
  '692',
  '790',
  '821',
  '823',
  '830',
  '831',
  '878',
  '879',
  '884',
  '890',
  '893',
])
