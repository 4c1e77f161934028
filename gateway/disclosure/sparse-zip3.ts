/**
 * Three-digit ZIP prefixes that are shown as `000` besides the restricted ones of HHS. The rule refers to the current data of the
 * Census, so that a prefix is restricted if any census since 2000 counted 20,000 people or fewer in its area.
 *
 * @source 45 CFR 164.514(b)(2)(i)(B); Census of 2010 and of 2020, population by ZIP Code Tabulation Area
 */
const SINCE_2010 = ['202', '204', '205', '369', '753', '772']

/** The prefixes of military mail. The Census counts nobody there. @source USPS Publication 28, section 225 */
const MILITARY = ['090', '091', '092', '093', '094', '095', '096', '097', '098', '340', '962', '963', '964', '965', '966']

export const SPARSE_ZIP3: ReadonlySet<string> = new Set([...SINCE_2010, ...MILITARY])
