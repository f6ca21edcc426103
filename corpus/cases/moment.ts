import moment from 'moment';
import 'moment/locale/de.js';

export const about = {
  package: 'moment',
  covers: 'dates; locales by computed require',
  asks: 'a locale is required by a computed name',
  requests: 1,
};

export function run(): unknown {
  const day = moment.utc('2026-02-28');
  const french = moment.utc('2026-02-28').locale('fr').format('LLLL');
  return [
    day.locale('de').format('dddd, LL'),
    day.clone().add(1, 'd').diff(day, 'hours'),
    french,
    moment.duration(90, 'minutes').humanize(),
  ];
}
