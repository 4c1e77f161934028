/** A real city with its ZIP prefix from the Postal Service, so that the views ZIP3 and state show true pairs. */
export interface Place {
  readonly city: string
  readonly district: string
  readonly state: string
  /** The first three digits of its ZIP codes. */
  readonly zip3: string
}

export const PLACES: readonly Place[] = [
  { city: 'Boston', district: 'Suffolk', state: 'MA', zip3: '021' },
  { city: 'Springfield', district: 'Hampden', state: 'MA', zip3: '011' },
  { city: 'Providence', district: 'Providence', state: 'RI', zip3: '029' },
  { city: 'Portland', district: 'Cumberland', state: 'ME', zip3: '041' },
  { city: 'Burlington', district: 'Chittenden', state: 'VT', zip3: '054' },
  { city: 'Hartford', district: 'Hartford', state: 'CT', zip3: '061' },
  { city: 'Albany', district: 'Albany', state: 'NY', zip3: '122' },
  { city: 'Philadelphia', district: 'Philadelphia', state: 'PA', zip3: '191' },
  { city: 'Atlanta', district: 'Fulton', state: 'GA', zip3: '303' },
  { city: 'Columbus', district: 'Franklin', state: 'OH', zip3: '432' },
  { city: 'Minneapolis', district: 'Hennepin', state: 'MN', zip3: '554' },
  { city: 'Chicago', district: 'Cook', state: 'IL', zip3: '606' },
  { city: 'Austin', district: 'Travis', state: 'TX', zip3: '787' },
  { city: 'Denver', district: 'Denver', state: 'CO', zip3: '802' },
  { city: 'Phoenix', district: 'Maricopa', state: 'AZ', zip3: '850' },
  { city: 'Portland', district: 'Multnomah', state: 'OR', zip3: '972' },
  { city: 'Seattle', district: 'King', state: 'WA', zip3: '981' },
]

/**
 * Fewer than 20,000 people live in the area of this prefix, so the view ZIP3 must give 000.
 * @source 45 CFR 164.514(b)(2)(i)(B), HHS list of restricted prefixes
 */
export const RESTRICTED_PLACE: Place = { city: 'Charlestown', district: 'Sullivan', state: 'NH', zip3: '036' }
