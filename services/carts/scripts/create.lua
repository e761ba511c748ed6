return answer(create())
