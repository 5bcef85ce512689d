"""Two clients that look at each row and then write it, a commit a competition."""

import sqlalchemy
from sqlalchemy import Column, DateTime, Integer, Text, distinct, func
from sqlalchemy.orm import Session, declarative_base


#
# Plain SQL: the seasons of a competition are read at once
#

def plain(last):
	"""As fast as it gets, up to the competition "last"."""
	def work(connection):
		with connection.cursor() as cursor:
			cursor.execute("SELECT competition_id, url FROM competitions"
				" WHERE competition_id <= %s ORDER BY 1", [last])
			for competition, url in cursor.fetchall():
				reconcile_competition(cursor, competition, url)
				connection.commit()
	return work


def reconcile_competition(cursor, competition, url):
	cursor.execute("SELECT season_year, count(*) FROM teams"
		" WHERE competition_id = %s GROUP BY 1", [competition])
	seasons = cursor.fetchall()
	cursor.execute("SELECT status, seasons_discovered FROM competition_progress"
		" WHERE competition_id = %s", [competition])
	progress = cursor.fetchone()
	if progress is None:
		cursor.execute("INSERT INTO competition_progress (competition_id, competition_url,"
			" status, seasons_discovered, completed_at) VALUES (%s, %s, 'completed', %s, now())",
			[competition, url or "MISSING_URL_FOR_" + competition, len(seasons)])
	elif progress != ("completed", len(seasons)):
		cursor.execute("UPDATE competition_progress SET status = 'completed',"
			" seasons_discovered = %s, completed_at = now() WHERE competition_id = %s",
			[len(seasons), competition])
	for year, clubs in seasons:
		reconcile_season(cursor, competition, year, clubs)


def reconcile_season(cursor, competition, year, clubs):
	cursor.execute("SELECT status, clubs_saved FROM season_progress"
		" WHERE competition_id = %s AND season_year = %s", [competition, year])
	progress = cursor.fetchone()
	if progress is None:
		cursor.execute("INSERT INTO season_progress (competition_id, season_id, season_year,"
			" status, clubs_saved, completed_at) VALUES (%s, %s, %s, 'completed', %s, now())",
			[competition, year, year, clubs])
	elif progress != ("completed", clubs):
		cursor.execute("UPDATE season_progress SET status = 'completed', clubs_saved = %s,"
			" completed_at = now() WHERE competition_id = %s AND season_year = %s",
			[clubs, competition, year])


#
# Objects, as scripts with a mapper do it: a query for the evidence of each season
#

Base = declarative_base()


class Competition(Base):
	__tablename__ = "competitions"
	competition_id = Column(Text, primary_key=True)
	url = Column(Text)


class Team(Base):
	__tablename__ = "teams"
	team_id = Column(Integer, primary_key=True)
	competition_id = Column(Text)
	season_year = Column(Integer)


class CompetitionProgress(Base):
	__tablename__ = "competition_progress"
	competition_id = Column(Text, primary_key=True)
	competition_url = Column(Text)
	status = Column(Text)
	seasons_discovered = Column(Integer)
	completed_at = Column(DateTime(timezone=True))


class SeasonProgress(Base):
	__tablename__ = "season_progress"
	competition_id = Column(Text, primary_key=True)
	season_year = Column(Integer, primary_key=True)
	season_id = Column(Text)
	status = Column(Text)
	completed_at = Column(DateTime(timezone=True))
	clubs_saved = Column(Integer)


def mapped(last):
	"""With SQLAlchemy's mapper, up to the competition "last"."""
	def work(connection):
		engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: connection,
			poolclass=sqlalchemy.pool.StaticPool)
		with Session(engine) as session:
			competitions = session.query(Competition.competition_id, Competition.url).filter(
				Competition.competition_id <= last).order_by(Competition.competition_id)
			for competition, url in competitions.all():
				map_competition(session, competition, url)
				session.commit()
	return work


def map_competition(session, competition, url):
	teams = session.query(Team).filter_by(competition_id=competition)
	seasons = teams.with_entities(func.count(distinct(Team.season_year))).scalar()
	mark(session, CompetitionProgress, {"competition_id": competition},
		{"competition_url": url or "MISSING_URL_FOR_" + competition},
		{"seasons_discovered": seasons})
	for year, in teams.with_entities(Team.season_year).distinct().all():
		mark(session, SeasonProgress, {"competition_id": competition, "season_year": year},
			{"season_id": str(year)},
			{"clubs_saved": teams.filter_by(season_year=year).count()})


def mark(session, kind, key, inserted, counters):
	progress = session.query(kind).filter_by(**key).one_or_none()
	if progress is None:
		progress = kind(**key, **inserted)
		session.add(progress)
	changes = {"status": "completed", **counters}
	if any(getattr(progress, name) != value for name, value in changes.items()):
		for name, value in changes.items():
			setattr(progress, name, value)
		progress.completed_at = func.now()
	session.flush()
